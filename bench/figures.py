"""What measured numbers come to: percentiles, medians, spreads, differences and ratios. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

Figures = dict[str, Any]
"""One measurement, as JSON has it."""
Rounds = dict[str, list[Figures]]
"""Target -> its measurements, one for each round."""


def percentiles_ms(values_ns: Sequence[int]) -> dict[str, float]:
    """P50, P90, P99 and the maximum, in milliseconds; zeros where there is nothing."""
    ordered = sorted(values_ns) or [0]
    last = len(ordered) - 1
    points = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: ordered[round(last * point)] / 1e6 for name, point in points.items()}


def difference_ms(values: Sequence[float], base: Sequence[float]) -> dict[str, float]:
    """P50 and P99 of what calls took longer than the calls beside which they were made; both in seconds."""
    added = percentiles_ms([round(seconds * 1e9) for seconds in differences(values, base)])
    return {"p50": added["p50"], "p99": added["p99"]}


def half_spread(values: Sequence[float]) -> float:
    """Half the distance between the largest and the smallest: the ± of a table."""
    return (max(values) - min(values)) / 2


def differences(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """What each round's value is above the base of the same round."""
    return [value - below for value, below in zip(values, base, strict=True)]


def ratio(value: float, base: float) -> float | None:
    """None where the base is nothing: there is no ratio to it."""
    return value / base if base > 0 else None


def ratios(values: Sequence[float], base: Sequence[float]) -> list[float | None]:
    """Each round's ratio to the base of the same round."""
    return [ratio(value, below) for value, below in zip(values, base, strict=True)]


def middle(values: Sequence[float | None]) -> float | None:
    """The median of those that are known."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def medians(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Each target's median."""
    return {name: median(series) for name, series in values.items()}
