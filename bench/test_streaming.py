"""What fastproxy adds to the events of many streams at once: 300, 1,000 and 2,000 paced, and unpaced ones."""

from __future__ import annotations

from bench.figures import Figures
from bench.goals import Goal
from bench.interleave import Row, shares, summarise, table
from bench.load import Load, cpu_us
from bench.overhead import CONTRACT_MS
from bench.suite import Suite
from bench.targets import PROXY, Targets, resources

LOADS = {
    "300 streams x 50/s": Load("streams", 300, 3.0, rate=50),
    "1,000 streams x 20/s": Load("streams", 1000, 3.0, rate=20),
    "2,000 streams x 10/s": Load("streams", 2000, 3.0, rate=10),
}
UNPACED = "32 streams, unpaced"
SATURATION = Load("streams", 32, 0.5, events=3000)
EVENTS_PER_SECOND = 35_000


def _rows(case: str) -> list[Row]:
    return [
        Row(f"event delay P50, {case}", case, lambda f: f["delay_ms"]["p50"], "ms", True),
        Row(f"event delay P99, {case}", case, lambda f: f["delay_ms"]["p99"], "ms", True),
        Row(f"first event P50, {case}", case, lambda f: f["first_event_ms"]["p50"], "ms", True),
        Row(f"CPU of an event, {case}", case, cpu_us, "µs"),
    ]


ROWS = [
    *(row for case in LOADS for row in _rows(case)),
    Row(f"events, {UNPACED}", UNPACED, lambda f: f["events_per_second"], "/s"),
    Row(f"CPU of an event, {UNPACED}", UNPACED, cpu_us, "µs"),
]


def test_streams_are_passed_on_as_they_come(running: Targets, suite: Suite) -> None:
    loads = {**LOADS, UNPACED: SATURATION}
    used = resources(running)
    measured = suite.measure(
        "streams",
        suite.takes_seconds(loads.values(), 3),
        lambda: {
            case: running.measure(suite.plan.load(load), suite.plan.rounds) for case, load in loads.items()
        },
    )
    rows = {row.title: summarise(row, measured[row.case]) for row in ROWS}
    lines = [table(list(rows.values()), used), *shares(measured["300 streams x 50/s"])]
    goals = _goals(rows, measured["2,000 streams x 10/s"][PROXY])
    suite.report("streaming", lines, goals, {"rows": list(rows.values()), "lines": lines})
    assert [title for title, row in rows.items() if any(row["failures"].values())] == []
    assert rows["event delay P50, 300 streams x 50/s"]["added"][PROXY] < CONTRACT_MS


def _goals(rows: dict[str, Figures], many: list[Figures]) -> list[Goal]:
    delay = rows["event delay P50, 300 streams x 50/s"]
    added = "event delay P50 added, {}, ms"
    return [
        *(
            Goal(
                added.format(case),
                rows[f"event delay P50, {case}"]["added_rounds"][PROXY],
                "<=",
                CONTRACT_MS,
                "contract",
            )
            for case in LOADS
        ),
        Goal("event delay P50 at 300 streams, x bare relay", delay["ratio_rounds"], "<=", 1.5, "floor"),
        Goal("event delay P50 at 300 streams, x bare relay", delay["ratio_rounds"], "<=", 1.3),
        Goal("failed of 2,000 streams", [float(f["failures"]) for f in many], "<=", 0, "floor"),
        Goal("events/s, unpaced", rows[f"events, {UNPACED}"]["rounds"][PROXY], ">=", EVENTS_PER_SECOND),
    ]
