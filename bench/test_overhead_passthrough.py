"""What fastproxy adds where both sides speak OpenAI's format: the contract, and the targets.

The contract (asserted): less than 50 ms added to the median. The targets (printed, met or not met) are mostly
ratios to a bare relay on the same parts, in the same interleaved run.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from statistics import median
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
from bench.loadgen import address, chat_body, http_request, is_whole

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

CONTRACT_MS = 50.0
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


class Caller:
    """One keep-alive connection, one small chat request at a time."""

    def __init__(self, url: str) -> None:
        self._request = http_request(url, chat_body("bench-n1"))
        self._socket = socket.create_connection(address(url), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seconds: list[float] = []

    def call(self) -> None:
        started = time.perf_counter()
        self._socket.sendall(self._request)
        received = b""
        while not is_whole(received):
            received += self._socket.recv(65536)
        self.seconds.append(time.perf_counter() - started)
        assert received.startswith(b"HTTP/1.1 200"), received

    def p50_ms(self) -> float:
        return median(self.seconds) * 1000

    def close(self) -> None:
        self._socket.close()


def test_a_unary_request_takes_less_than_the_contract_allows(
    benchmark: BenchmarkFixture, running: Targets, used: Figures
) -> None:
    callers = {name: Caller(url) for name, url in running.urls.items()}

    def call_the_others() -> None:
        callers[DIRECT].call()
        callers[BARE].call()

    benchmark.pedantic(callers[PROXY].call, setup=call_the_others, rounds=1000, warmup_rounds=200)  # type: ignore[no-untyped-call]
    added = {name: callers[name].p50_ms() - callers[DIRECT].p50_ms() for name in (BARE, PROXY)}
    for caller in callers.values():
        caller.close()
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


def verdict(
    what: str, measured: float | None, rounds: list[float | None], relation: str, bound: float
) -> str:
    """One line: the target, the median, and the rounds; unclear where the rounds disagree about it."""
    known = [value for value in rounds if value is not None]
    wanted = f"target {relation} {bound:,}"
    if measured is None or len(known) < len(rounds):
        return f"unclear  {what}: the bare relay added nothing measurable in some round ({wanted})"
    met = {value <= bound if relation == "<=" else value >= bound for value in known}
    label = "unclear" if len(met) > 1 else "met" if met.pop() else "NOT met"
    return f"{label:8} {what}: {measured:,.2f}, rounds {min(known):,.2f} to {max(known):,.2f} ({wanted})"
