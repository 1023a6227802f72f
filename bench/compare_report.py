"""What the comparison's turns come to: a table of medians and spreads, goals, and the plots' points. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.figures import Figures, half_spread, ratios
from bench.goals import Goal
from bench.load import cpu_us
from bench.results import columns, number
from bench.targets import DIRECT, PROXY


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of every gateway."""

    key: str
    title: str
    of: Callable[[Figures], float]
    case: str = ""
    """The case that it is of; empty: the turn itself."""
    is_added: bool = False
    """What counts is what is above the direct call of the same round."""
    plot: str = ""
    """The plot's title; empty: it is not plotted."""


COLUMNS: Sequence[Column] = (
    Column(
        "added_p50",
        "added P50, ms",
        lambda f: f["latency_ms"]["p50"],
        "latency",
        is_added=True,
        plot="Time added to a request, median, 1 connection (ms)",
    ),
    Column("added_p99", "added P99, ms", lambda f: f["latency_ms"]["p99"], "latency", is_added=True),
    Column(
        "per_second",
        "requests/s",
        lambda f: f["per_second"],
        "throughput",
        plot="Requests a second, 32 connections",
    ),
    Column(
        "cpu_seconds",
        "CPU s of 1,000 requests",
        lambda f: cpu_us(f) / 1000,
        "throughput",
        plot="CPU seconds of 1,000 requests",
    ),
    Column(
        "beside",
        "processors used by upstream and generator",
        lambda f: (f["cpu"]["upstream"] + f["cpu"]["generator"]) / f["elapsed_seconds"],
        "throughput",
    ),
    Column(
        "delay_p50",
        "event delay added P50, ms",
        lambda f: f["delay_ms"]["p50"],
        "streams",
        is_added=True,
        plot="Time added to an event, median, 300 streams of 50 events/s (ms)",
    ),
    Column(
        "delay_p99", "event delay added P99, ms", lambda f: f["delay_ms"]["p99"], "streams", is_added=True
    ),
    Column("failed", "failed", lambda f: sum(case["failures"] for case in f["cases"].values())),
    Column("rss_idle", "RSS idle, MiB", lambda f: f["rss_mib"]["idle"]),
    Column(
        "rss_after",
        "RSS after load, MiB",
        lambda f: f["rss_mib"]["after"],
        plot="Resident memory after the load (MiB)",
    ),
    Column("start", "start to first answer, s", lambda f: f["start_seconds"]),
)
"""The columns of the table, in its order."""
RATIOS = (
    ("requests/s, x LiteLLM", "LiteLLM", 40.0, "floor"),
    ("requests/s, x Portkey", "Portkey", 5.0, "floor"),
    ("requests/s, x Envoy with one worker", "Envoy", 0.6, "stretch"),
)
"""What, the other, at least how many times it, what kind of goal that is."""

LOADED = "MEASURED ON A LOADED MACHINE (--force): do not quote these figures."

Values = dict[str, dict[str, list[float]]]
"""Gateway -> column's key -> a value for each round."""


def values(turns: Sequence[Figures]) -> Values:
    """All rounds' figures, by gateway and column."""
    turns = [turn for turn in turns if "fault" not in turn]
    direct = {turn["round"]: turn for turn in turns if turn["name"] == DIRECT}
    found: Values = {}
    for turn in sorted(turns, key=lambda turn: int(turn["round"])):
        series = found.setdefault(turn["name"], {})
        for column in COLUMNS:
            if (value := _value(column, turn, direct.get(turn["round"]))) is not None:
                series.setdefault(column.key, []).append(value)
    return found


def _value(column: Column, turn: Figures, direct: Figures | None) -> float | None:
    """None where this turn has no such figure."""
    is_direct = turn["name"] == DIRECT
    if not column.case:
        return None if is_direct else column.of(turn)
    figures = turn["cases"].get(column.case)
    if figures is None or (is_direct and column.key == "cpu_seconds"):
        return None
    if not column.is_added or is_direct:
        return column.of(figures)  # of the direct call nothing is added: its own time stands there
    return None if direct is None else column.of(figures) - column.of(direct["cases"][column.case])


def table(found: Values) -> tuple[list[str], list[list[str]]]:
    """Header and rows: medians, with half the spread of the rounds."""
    header = ["", *(column.title for column in COLUMNS)]
    return header, [
        [name, *(_cell(series.get(column.key)) for column in COLUMNS)] for name, series in found.items()
    ]


def _cell(series: Sequence[float] | None) -> str:
    if not series:
        return ""
    spread = half_spread(series)
    return number(median(series)) + (f" ±{number(spread)}" if spread else "")


def goals(turns: Sequence[Figures]) -> list[Goal]:
    """fastproxy's requests/s against the others', round by round."""
    ours = _requests_per_second(turns, PROXY)
    found = []
    for what, name, bound, kind in RATIOS:
        theirs = _requests_per_second(turns, name)
        if both := sorted(ours.keys() & theirs.keys()):
            rounds = ratios([ours[number] for number in both], [theirs[number] for number in both])
            found.append(Goal(what, rounds, ">=", bound, kind))
    return found


def _requests_per_second(turns: Sequence[Figures], name: str) -> dict[int, float]:
    """Round -> what this one reached in it."""
    return {
        turn["round"]: turn["cases"]["throughput"]["per_second"]
        for turn in turns
        if turn["name"] == name and "fault" not in turn
    }


def plots(found: Values) -> dict[str, Figures]:
    """Column's key -> title and points (name, lowest, median, highest), for every plotted column."""
    return {
        column.key: {
            "title": column.plot,
            "points": [
                [name, min(series[column.key]), median(series[column.key]), max(series[column.key])]
                for name, series in found.items()
                if series.get(column.key) and not (name == DIRECT and column.is_added)
            ],
        }
        for column in COLUMNS
        if column.plot
    }


def report(told: Figures) -> Figures:
    """The table, the goals, the plots' points, and all of it as lines of text."""
    found = values(told["turns"])
    header, rows = table(found)
    reached = goals(told["turns"])
    warning = (
        ["MEASURED ON A LOADED MACHINE (--force): do not quote these figures."] if told["forced"] else []
    )
    return {
        "table": {"header": header, "rows": rows},
        "goals": [goal.told() for goal in reached],
        "plots": plots(found),
        "lines": [*warning, columns(header, rows), *(goal.line() for goal in reached)],
    }
