"""Percentiles, spreads and ratios are what they are called."""

from __future__ import annotations

import pytest

from bench.figures import difference_ms, half_spread, middle, percentiles_ms, ratio, ratios


def test_percentiles_are_of_the_ordered_values_in_milliseconds() -> None:
    values = [number * 1_000_000 for number in range(100, -1, -1)]
    assert percentiles_ms(values) == {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}


def test_percentiles_of_nothing_are_zero() -> None:
    assert percentiles_ms([]) == {"p50": 0.0, "p90": 0.0, "p99": 0.0, "max": 0.0}


def test_a_difference_is_taken_call_by_call() -> None:
    added = difference_ms([0.003, 0.010, 0.005], [0.001, 0.002, 0.004])
    assert added == {"p50": pytest.approx(2.0), "p99": pytest.approx(8.0)}


def test_series_of_different_lengths_have_no_difference() -> None:
    with pytest.raises(ValueError, match="shorter"):
        difference_ms([0.1, 0.2], [0.1])


def test_the_spread_is_half_of_the_range() -> None:
    assert half_spread([3.0, 1.0, 2.0]) == 1.0


def test_a_ratio_to_nothing_is_unknown_and_left_out_of_the_median() -> None:
    assert ratio(3.0, 0.0) is None
    assert ratios([3.0, 4.0, 9.0], [1.0, 0.0, 3.0]) == [3.0, None, 3.0]
    assert middle([3.0, None, 5.0]) == 4.0
    assert middle([None]) is None
