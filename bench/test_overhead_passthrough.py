"""What fastproxy adds where both sides speak OpenAI's format: the contract, and the targets.

The contract (asserted): less than 50 ms added to the median. The targets (printed, met or not met) are mostly
ratios to a bare relay on the same parts, in the same interleaved run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from bench.interleave import (
    BARE,
    CASES,
    DIRECT,
    PROXY,
    ROWS,
    Figures,
    Targets,
    measure,
    resources,
    summarise,
    table,
    targets,
    write_results,
)
from bench.loadgen import chat_body, http_request
from bench.overhead import CONTRACT_MS, Caller, p50_ms, verdict

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 5

Target = tuple[str, float | None, list[float | None], str, float]
"""What, its median, its rounds, "<=" or ">=", the bound."""


@pytest.fixture(scope="module")
def running() -> Iterator[Targets]:
    with targets() as started:
        yield started


@pytest.fixture(scope="module")
def used(running: Targets) -> Figures:
    return resources(running.servers)


def test_a_unary_request_takes_less_than_the_contract_allows(
    benchmark: BenchmarkFixture, running: Targets, used: Figures
) -> None:
    request = {name: http_request(url, chat_body("bench-n1")) for name, url in running.urls.items()}
    with ExitStack() as stack:
        callers = {
            name: stack.enter_context(Caller(url, request[name])) for name, url in running.urls.items()
        }

        def call_the_others() -> None:
            callers[DIRECT].call()
            callers[BARE].call()

        benchmark.pedantic(callers[PROXY].call, setup=call_the_others, rounds=1000, warmup_rounds=200)  # type: ignore[no-untyped-call]
    direct = p50_ms(callers[DIRECT].seconds)
    added = {name: p50_ms(callers[name].seconds) - direct for name in (BARE, PROXY)}
    benchmark.extra_info.update({"p50_added_ms": added, "ratio_to_bare_relay": added[PROXY] / added[BARE]})
    assert added[PROXY] < CONTRACT_MS


def test_the_targets_are_reported_in_one_interleaved_run(
    benchmark: BenchmarkFixture, running: Targets, used: Figures, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = benchmark.pedantic(  # type: ignore[no-untyped-call]
        lambda: {case: measure(case, running.urls, ROUNDS) for case in CASES}, rounds=1
    )
    rows = {row.title: summarise(row, measured[row.case]) for row in ROWS}
    verdicts = [verdict(*target) for target in _targets(rows, used[PROXY])]
    benchmark.extra_info.update({"rows": list(rows.values()), "resources": used, "targets": verdicts})
    path = write_results(
        "overhead_passthrough", {"rows": list(rows.values()), "resources": used, "targets": verdicts}
    )
    with capsys.disabled():
        print("\n" + table(list(rows.values()), used), *verdicts, f"written to {path}", sep="\n")
    # A figure that counts failed answers is none.
    assert [row["title"] for row in rows.values() if any(row["failures"].values())] == []
    assert rows["unary P50, 1 connection"]["added"][PROXY] < CONTRACT_MS


def _targets(rows: dict[str, Figures], used: Figures) -> list[Target]:
    latency, throughput = rows["unary P50, 1 connection"], rows["requests, 32 connections"]
    delay, events = rows["event delay P50, 300 streams x 50/s"], rows["events at saturation, 32 streams"]
    failed = rows["failed of 2000 streams"]["rounds"][PROXY]
    return [
        ("unary P50 added, x bare", latency["added_ratio"], latency["added_ratio_rounds"], "<=", 1.6),
        ("requests/s, x bare", throughput["ratio"], throughput["ratio_rounds"], ">=", 0.6),
        ("event delay P50, x bare", delay["ratio"], delay["ratio_rounds"], "<=", 1.3),
        ("events/s at saturation", events["median"][PROXY], events["rounds"][PROXY], ">=", 35_000),
        ("failed of 2000 streams", max(failed), failed, "<=", 0),
        ("worker RSS idle, MiB", used["worker_rss_mib"], [used["worker_rss_mib"]], "<=", 110),
        ("start to first answer, s", used["start_seconds"], [used["start_seconds"]], "<=", 0.8),
    ]
