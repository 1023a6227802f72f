"""How the cost grows: with the body's size, with connections, with streams, and with workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import pytest

from bench import results
from bench.figures import Figures, Rounds
from bench.goals import Goal
from bench.interleave import shares
from bench.load import Load, cpu_us
from bench.overhead import CONTRACT_MS
from bench.results import number
from bench.suite import Suite
from bench.targets import (
    BARE,
    DIRECT,
    EVERYTHING_ON,
    PROXY,
    Targets,
    provider,
    targets,
    warm_up,
)
from testkit.process import Server
from testkit.proxy import FastproxyProcess
from testkit.redis_server import BINARY, RedisServer

BODIES = {f"{size:,} bytes": Load("unary", 1, 0.8, size=size) for size in (1_000, 10_000, 100_000, 1_000_000)}
CONNECTIONS = {f"{count} connections": Load("unary", count, 1.0) for count in (1, 8, 32, 128, 512)}
STREAMS = {f"{count:,} streams": Load("streams", count, 1.5, rate=10) for count in (1, 30, 300, 1000, 2000)}
AXES: Mapping[str, tuple[Mapping[str, Load], Callable[[Figures], float], str]] = {
    "body": (BODIES, lambda f: f["latency_ms"]["p50"], "P50"),
    "connections": (CONNECTIONS, lambda f: f["latency_ms"]["p50"], "P50"),
    "streams": (STREAMS, lambda f: f["delay_ms"]["p50"], "event delay P50"),
}
"""Axis -> its points, what is compared at each, and what that is called."""
WORKERS = Load("unary", 64, 2.0)
ONE, TWO = "one worker", "two workers"


@pytest.mark.parametrize("axis", AXES)
def test_the_cost_grows_as_it_is_reported(axis: str, running: Targets, suite: Suite) -> None:
    points, figure, what = AXES[axis]
    rounds = max(1, suite.plan.rounds - 1)
    measured = suite.measure(
        f"scaling with {axis}",
        suite.takes_seconds(points.values(), 3) * rounds / suite.plan.rounds,
        lambda: {point: running.measure(suite.plan.load(load), rounds) for point, load in points.items()},
    )
    header = ["", *(f"{name}, {what} ms" for name in (DIRECT, BARE, PROXY)), *_MORE]
    rows = [[point, *_cells(rounds, figure, axis)] for point, rounds in measured.items()]
    added = {point: _added(rounds, figure) for point, rounds in measured.items()}
    goals = [
        Goal(f"{what} added, {point}, ms", [value], "<=", CONTRACT_MS, "contract")
        for point, value in added.items()
    ]
    table = {"header": header, "rows": rows}
    suite.report(
        f"scaling_{axis}", [results.columns(header, rows)], goals, {"table": table, "added_ms": added}
    )
    assert [
        name for rounds in measured.values() for name in rounds if any(f["failures"] for f in rounds[name])
    ] == []
    if axis == "body":  # with more connections and streams than a core can carry, each waits for the others
        assert max(added.values()) < CONTRACT_MS


_MORE = [f"P99 added, {BARE}", PROXY, f"/s, {BARE}", PROXY, f"CPU µs, {BARE}", PROXY]


def _middle(rounds: Rounds, name: str, figure: Callable[[Figures], float]) -> float:
    return median(figure(figures) for figures in rounds[name])


def _added(rounds: Rounds, figure: Callable[[Figures], float]) -> float:
    return _middle(rounds, PROXY, figure) - _middle(rounds, DIRECT, figure)


def _cells(rounds: Rounds, figure: Callable[[Figures], float], axis: str) -> list[str]:
    times, rate = ("delay_ms", "events_per_second") if axis == "streams" else ("latency_ms", "per_second")
    p99 = {name: _middle(rounds, name, lambda f: f[times]["p99"]) for name in rounds}
    cells = [_middle(rounds, name, figure) for name in (DIRECT, BARE, PROXY)]
    cells += [p99[name] - p99[DIRECT] for name in (BARE, PROXY)]
    cells += [_middle(rounds, name, lambda f: f[rate]) for name in (BARE, PROXY)]
    cells += [_middle(rounds, name, cpu_us) for name in (BARE, PROXY)]
    return list(map(number, cells))


def _with_workers(count: int, redis: str, folder: Path) -> Callable[[str], Server]:
    """Starts fastproxy with so many workers, its limits and its memory in places that workers share."""
    on = EVERYTHING_ON.replace("[server]", f"[server]\nworkers = {count}")
    on = on.replace("[limits]", f'[limits]\nstorage = "{redis}"')
    on += f'[continuity]\nstorage = "sqlite:///{folder}/{count}.db"\n'
    return lambda upstream: FastproxyProcess(on + provider(upstream), start_timeout=30)


@pytest.mark.skipif(
    BINARY is None, reason="several workers need a Redis for their limits: redis-server is not installed"
)
def test_two_workers_are_compared_with_one(suite: Suite, tmp_path: Path) -> None:
    load = suite.plan.load(WORKERS)
    names = {ONE: 1, TWO: 2}
    with RedisServer() as redis:
        more = {name: _with_workers(count, redis.url, tmp_path) for name, count in names.items()}
        with targets([DIRECT], more) as running:
            warm_up(running)
            measured = suite.measure(
                "one worker and two, both with Redis",
                suite.takes_seconds([WORKERS], 3),
                lambda: running.measure(load, suite.plan.rounds),
            )
    header = ["", "requests/s", "CPU µs of a request", "idle share of the machine"]
    figures = (lambda f: f["per_second"], cpu_us, lambda f: f["idle_share"])
    rows = [[name, *(number(_middle(measured, name, figure)) for figure in figures)] for name in measured]
    lines = [results.columns(header, rows), *shares(measured)]
    gains = [
        two["per_second"] / one["per_second"] for one, two in zip(measured[ONE], measured[TWO], strict=True)
    ]
    goals = [Goal("requests/s of two workers, x one", gains, ">=", 1.2)]
    told = {
        "table": {"header": header, "rows": rows},
        "lines": lines,
        "load": suite.plan.load(WORKERS).connections,
    }
    suite.report("scaling_workers", lines, goals, told)
    assert [name for name, rounds in measured.items() if any(f["failures"] for f in rounds)] == []
