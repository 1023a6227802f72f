"""What fastproxy adds where both sides speak OpenAI's format: one request at a time, and as many as it can.

The contract (asserted): less than 50 ms added to the median. Floors and targets are mostly ratios to a bare
relay on the same parts, in the same interleaved run.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import orjson

from bench.figures import difference_ms
from bench.goals import Goal
from bench.http_bytes import PATH, chat_body, post
from bench.interleave import CASES, compare, shares, summaries, table
from bench.overhead import CONTRACT_MS, Caller, p50_ms
from bench.suite import Suite
from bench.targets import BARE, DIRECT, PROXY, Targets, resources

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

CALLS, WARM_UP_CALLS, QUICK_CALLS = 1000, 200, 20
LOADS = {case: CASES[case] for case in ("latency", "throughput")}


def test_a_unary_request_takes_less_than_the_contract_allows(
    benchmark: BenchmarkFixture, running: Targets, suite: Suite
) -> None:
    body = orjson.dumps(chat_body("bench-n1"))
    with ExitStack() as stack:
        callers = {
            name: stack.enter_context(Caller(target.url, post(f"{target.url}{PATH}", target.headers, body)))
            for name, target in running.all.items()
        }

        def call_the_others() -> None:
            callers[DIRECT].call()
            callers[BARE].call()

        calls = (QUICK_CALLS, 1) if suite.plan.quick else (CALLS, WARM_UP_CALLS)
        benchmark.pedantic(  # type: ignore[no-untyped-call]
            callers[PROXY].call, setup=call_the_others, rounds=calls[0], warmup_rounds=calls[1]
        )
    seconds = {name: caller.seconds[-calls[0] :] for name, caller in callers.items()}
    p50 = {name: p50_ms(series) for name, series in seconds.items()}
    added = {name: difference_ms(seconds[name], seconds[DIRECT]) for name in (BARE, PROXY)}
    lines = [
        f"{name}: P50 {p50[name]:.3f} ms, added P50 {figures['p50']:.3f}, P99 {figures['p99']:.3f}"
        for name, figures in added.items()
    ]
    goal = Goal("unary P50 added, ms", [added[PROXY]["p50"]], "<=", CONTRACT_MS, "contract")
    suite.report("overhead_passthrough_calls", lines, [goal], {"p50_ms": p50, "added_ms": added})
    assert added[PROXY]["p50"] < CONTRACT_MS


def test_the_goals_are_reported_in_one_interleaved_run(running: Targets, suite: Suite) -> None:
    loads = {case: suite.plan.load(load) for case, load in LOADS.items()}
    used = resources(running)
    measured = suite.measure(
        "one connection, and 32",
        suite.takes_seconds(LOADS.values(), 3),
        lambda: compare(loads, running, suite.plan.rounds),
    )
    rows = summaries(measured)
    latency, throughput, cpu = (_row(rows, start) for start in ("unary P50", "requests", "CPU"))
    lines = [table(rows, used), *shares(measured["throughput"])]
    goals = [
        Goal("unary P50 added, x bare relay", latency["added_ratio_rounds"], "<=", 2.0, "floor"),
        Goal("unary P50 added, x bare relay", latency["added_ratio_rounds"], "<=", 1.6),
        Goal("requests/s, x bare relay", throughput["ratio_rounds"], ">=", 0.5, "floor"),
        Goal("requests/s, x bare relay", throughput["ratio_rounds"], ">=", 0.6),
        Goal("CPU of a request, x bare relay", cpu["ratio_rounds"], "<=", 2.0),
    ]
    suite.report("overhead_passthrough", lines, goals, {"rows": rows, "lines": lines})
    # A figure that counts failed answers is none.
    assert [row["title"] for row in rows if any(row["failures"].values())] == []
    assert latency["added"][PROXY] < CONTRACT_MS


def _row(rows: list[dict[str, object]], start: str) -> dict:  # type: ignore[type-arg]
    return next(row for row in rows if str(row["title"]).startswith(start))
