"""What fastproxy holds and how fast it is there: memory over 100,000 requests, start to first answer."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson

from bench import results
from bench.goals import Goal
from bench.http_bytes import PATH, chat_body, post
from bench.load import Load, Target, measure
from bench.overhead import Caller
from bench.results import number
from bench.suite import Suite
from bench.targets import BARE, PROXY, Targets, served, targets
from testkit.process import Server

REQUESTS, WARM_UP_REQUESTS = 100_000, 20_000
SLICE = Load("unary", 32, 4.0)
IDLE_RSS_MIB, GROWTH_MIB, START_SECONDS, GOOD_START_SECONDS = 110, 10, 1.0, 0.8
MIB = 2**20


def test_many_requests_leave_no_memory_behind(suite: Suite) -> None:
    requests, warm_up = (200, 50) if suite.plan.quick else (REQUESTS, WARM_UP_REQUESTS)
    with targets() as running:
        before = {name: server.worker_rss_bytes() / MIB for name, server in running.servers.items()}

        def work() -> dict[str, dict[str, float]]:
            return {name: _held(running, name, requests, warm_up, suite.plan.load(SLICE)) for name in before}

        held = suite.measure(f"memory over {requests:,} requests", 60, work)
    header = ["worker RSS, MiB", "idle", "warm", f"after {requests:,} requests"]
    rows = [[name, *map(number, [before[name], held[name]["warm"], held[name]["after"]])] for name in before]
    growth = held[PROXY]["after"] - held[PROXY]["warm"]
    goals = [
        Goal("worker RSS idle, MiB", [before[PROXY]], "<=", IDLE_RSS_MIB),
        Goal(f"growth over {requests:,} requests, MiB", [growth], "<=", GROWTH_MIB, "floor"),
    ]
    table = {"header": header, "rows": rows}
    suite.report("memory", [results.columns(header, rows)], goals, {"table": table, "held": held})
    assert growth <= GROWTH_MIB


def _held(running: Targets, name: str, requests: int, warm_up: int, load: Load) -> dict[str, float]:
    rss: Callable[[], int] = running.servers[name].worker_rss_bytes
    _ask(running.all[name], running.upstream_pid, warm_up, load)
    warm = rss()
    _ask(running.all[name], running.upstream_pid, requests, load)
    return {"warm": warm / MIB, "after": rss() / MIB}


def _ask(target: Target, upstream_pid: int, requests: int, load: Load) -> None:
    answered = 0
    while answered < requests:
        figures = measure(load, target, upstream_pid)
        assert not figures["failures"], figures
        answered += figures["answered"]


def test_it_answers_soon_after_its_start(suite: Suite) -> None:
    def work() -> dict[str, list[float]]:
        seconds: dict[str, list[float]] = {BARE: [], PROXY: []}
        for _ in range(suite.plan.rounds):
            for name in seconds:
                with targets([name]) as running:
                    seconds[name].append(_first_answer(running.servers[name]))
        return seconds

    started = suite.measure("start to first answer", 2.0 * suite.plan.rounds, work)
    lines = [f"{name}: {', '.join(map(number, seconds))} s" for name, seconds in started.items()]
    goals = [
        Goal("start to first answer, s", started[PROXY], "<=", START_SECONDS, "floor"),
        Goal("start to first answer, s", started[PROXY], "<=", GOOD_START_SECONDS),
    ]
    suite.report("start", lines, goals, {"seconds": started})


def _first_answer(server: Server) -> float:
    """Seconds from the process's start until a chat was answered."""
    began = time.monotonic()
    body = orjson.dumps(chat_body("bench-n1"))
    with Caller(server.url, post(f"{server.url}{PATH}", served(server).headers, body)) as caller:
        caller.call()
    return server.start_seconds + time.monotonic() - began
