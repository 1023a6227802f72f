"""CPU seconds are read from /proc as the manual describes it."""

from __future__ import annotations

import os
import time

from bench.usage import MachineTimes, cpu_seconds, process_cpu_seconds

TICK = os.sysconf("SC_CLK_TCK")


def test_a_process_is_charged_with_itself_and_its_buried_children() -> None:
    stat = (
        f"42 (a (strange) name) S 1 42 42 0 -1 4194304 100 0 0 0 {TICK} {2 * TICK} {4 * TICK} {8 * TICK} 20 0"
    )
    assert process_cpu_seconds(stat) == 15.0


def test_this_process_uses_what_it_uses() -> None:
    before, own = cpu_seconds(os.getpid()), time.process_time()
    while time.process_time() < own + 0.1:
        sum(range(1000))
    assert 0.07 < cpu_seconds(os.getpid()) - before < 1.0


def test_nobody_uses_nothing() -> None:
    assert cpu_seconds(None) == 0.0


def test_the_idle_share_is_of_all_time_stolen_time_too() -> None:
    before = MachineTimes.parse("cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 1 2")
    after = MachineTimes.parse(f"cpu  {TICK} 0 {TICK} {5 * TICK} {TICK} 0 0 {2 * TICK} 0 0\ncpu0 1 2")
    passed = after.since(before)
    assert (passed.busy, passed.idle, passed.stolen) == (2.0, 6.0, 2.0)
    assert passed.idle_share == 0.6


def test_no_time_is_idle() -> None:
    now = MachineTimes.now()
    assert now.since(now).idle_share == 1.0
