"""Keeping a worker on one processor: when it moves, and that helpers run anywhere."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast

import pytest

from fastproxy.affinity import Affinity, Usage, better, keep_together, others

START = Usage(at=0.0, ours=0.0, waited=0.0, idle={0: 0.0, 1: 0.0, 2: 0.0})


def after(*, ours: float, waited: float, idle: dict[int, float]) -> Usage:
    """Ten seconds later; all are shares of that time."""
    return Usage(10.0, 10 * ours, 10 * waited, {cpu: 10 * share for cpu, share in idle.items()})


def test_a_worker_whose_processor_others_keep_busy_moves_to_the_freest() -> None:
    crowded = after(ours=0.4, waited=0.5, idle={0: 0.0, 1: 0.5, 2: 0.9})
    assert better(START, crowded, 0) == 2


def test_a_worker_that_uses_its_processor_up_by_itself_stays() -> None:
    assert better(START, after(ours=0.98, waited=0.4, idle={0: 0.0, 1: 1.0, 2: 1.0}), 0) == 0


def test_a_worker_that_does_not_wait_stays_whatever_others_do() -> None:
    assert better(START, after(ours=0.1, waited=0.01, idle={0: 0.0, 1: 1.0, 2: 1.0}), 0) == 0


def test_nobody_moves_where_all_processors_are_busy() -> None:
    assert better(START, after(ours=0.4, waited=0.5, idle={0: 0.0, 1: 0.1, 2: 0.2}), 0) == 0


def test_nobody_moves_before_time_has_passed_or_to_where_nothing_is_known() -> None:
    assert better(START, START, 0) == 0
    assert better(START, after(ours=0.4, waited=0.5, idle={1: 1.0}), 7) == 7


@pytest.fixture
def allowed() -> Iterator[set[int]]:
    """The processors of this process; all are its own again afterwards."""
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("this machine has one processor, or cannot choose among them")
    before = os.sched_getaffinity(0)
    yield before
    os.sched_setaffinity(0, before)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


async def test_the_main_thread_is_kept_where_it_is_and_helpers_run_anywhere(allowed: set[int]) -> None:
    affinity = keep_together(asyncio.get_running_loop(), print)
    assert affinity is not None
    assert os.sched_getaffinity(0) == {affinity.cpu}
    assert affinity.cpu in allowed
    assert await asyncio.to_thread(os.sched_getaffinity, 0) == allowed


async def test_threads_that_were_kept_together_move_together(
    allowed: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    affinity = Affinity(asyncio.get_running_loop(), lambda _event, **fields: told.append(fields))
    first, other = affinity.cpu, max(allowed - {affinity.cpu})
    monkeypatch.setattr("fastproxy.affinity.better", lambda _before, _after, _cpu: other)
    chances = iter((0, 1))
    monkeypatch.setattr("fastproxy.affinity.secrets.randbits", lambda _bits: next(chances))
    await asyncio.to_thread(os.getpid)  # a helper, which is not kept
    affinity._look()
    assert os.sched_getaffinity(0) == {first}  # it would meet others who look at the same moment
    affinity._look()
    assert os.sched_getaffinity(0) == {other}
    assert await asyncio.to_thread(os.sched_getaffinity, 0) == allowed
    assert told == [{"cpu": other, "before": first}]


async def test_one_processor_is_nothing_to_choose_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3}, raising=False)
    assert keep_together(asyncio.get_running_loop(), print) is None


async def test_a_system_that_cannot_tell_is_left_alone(
    allowed: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("fastproxy.affinity._main_thread", lambda _what: "")
    assert keep_together(asyncio.get_running_loop(), lambda event, **_: told.append(event)) is None
    assert told == ["the threads are not kept on one processor"]
    assert os.sched_getaffinity(0) == allowed


async def test_a_look_that_fails_is_told_and_not_the_last_one(
    allowed: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, told = asyncio.get_running_loop(), []
    affinity = Affinity(loop, lambda event, **_: told.append(event))
    with monkeypatch.context() as patched:
        patched.setattr("fastproxy.affinity._idle_seconds", dict)
        later = Later()
        patched.setattr(affinity, "_loop", later)
        affinity._look()
    assert told == ["the processors were not looked at"]
    assert later.names == ["_look"]


async def test_a_processor_that_was_taken_from_us_is_not_moved_to(
    allowed: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    affinity = Affinity(asyncio.get_running_loop(), lambda event, **_: told.append(event))
    first = affinity.cpu
    affinity._move(4095)
    assert (affinity.cpu, os.sched_getaffinity(0), told) == (first, {first}, [])


async def test_helpers_run_where_they_can_once_all_our_processors_were_taken(allowed: set[int]) -> None:
    affinity = Affinity(asyncio.get_running_loop(), print)
    affinity._all = {4095}
    assert await asyncio.to_thread(os.sched_getaffinity, 0) == {affinity.cpu}


def test_what_others_use_of_a_processor_is_what_neither_we_used_nor_nobody() -> None:
    assert others(START, after(ours=0.4, waited=0.0, idle={0: 0.1}), 0) == pytest.approx(0.5)
    assert others(START, START, 0) == 0
    assert others(START, after(ours=0.4, waited=0.0, idle={0: 0.1}), 7) == 0


class Worker:
    """An Affinity whose clock and whose share of its processor are the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.affinity = Affinity(asyncio.get_running_loop(), print)
        self.used, self.idle, self.at = 0.0, 0.0, 0.0
        self.later: list[tuple[float, float]] = []
        monkeypatch.setattr("fastproxy.affinity.time.process_time", lambda: self.used)
        monkeypatch.setattr(self.affinity, "_loop", self)
        monkeypatch.setattr(self.affinity, "_usage", self.usage)

    def usage(self) -> Usage:
        return Usage(self.at, self.used, 0.0, {self.affinity.cpu: self.idle})

    def time(self) -> float:
        return self.at

    def call_later(self, _seconds: float, _work: object, at: float, used: float) -> None:
        self.later.append((at, used))

    def passes(self, *, ours: float, idle: float = 0.0) -> int:
        """Four seconds with these shares of the processor; the main thread's policy afterwards."""
        before = (self.at, self.used)
        self.at, self.used, self.idle = self.at + 4, self.used + 4 * ours, self.idle + 4 * idle
        self.affinity._decide_turns(*before)
        return os.sched_getscheduler(0)


async def test_threads_take_turns_while_their_worker_is_busy_and_alone(
    allowed: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(monkeypatch)
    assert worker.passes(ours=0.9, idle=0.1) == os.SCHED_OTHER  # others are not known of yet
    assert worker.passes(ours=0.9, idle=0.05) == os.SCHED_BATCH
    assert worker.passes(ours=0.3, idle=0.7) == os.SCHED_BATCH
    assert worker.passes(ours=0.1, idle=0.9) == os.SCHED_OTHER  # calm again
    assert worker.later[-1] == pytest.approx((16.0, 8.8))


async def test_all_threads_that_are_kept_take_turns_and_those_that_are_made_then(
    allowed: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, ends = Worker(monkeypatch), Event()
    threads = [Thread(target=ends.wait), Thread(target=ends.wait)]

    def policies() -> list[int]:
        return [os.sched_getscheduler(thread.native_id or -1) for thread in threads]

    threads[0].start()
    try:
        worker.passes(ours=0.9)
        worker.passes(ours=0.9)
        threads[1].start()
        assert policies() == [os.SCHED_BATCH, os.SCHED_BATCH]
        worker.passes(ours=0.1, idle=0.9)
        assert policies() == [os.SCHED_OTHER, os.SCHED_OTHER]
    finally:
        ends.set()


async def test_threads_interrupt_each_other_beside_others(
    allowed: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(monkeypatch)
    worker.passes(ours=0.9, idle=0.1)
    assert worker.passes(ours=0.9, idle=0.1) == os.SCHED_BATCH
    assert worker.passes(ours=0.7, idle=0.0) == os.SCHED_OTHER


async def test_a_helper_that_is_made_while_threads_take_turns_does_not(
    allowed: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, worker = asyncio.get_running_loop(), Worker(monkeypatch)
    await asyncio.to_thread(os.getpid)  # one that was there before
    worker.passes(ours=0.9)
    assert worker.passes(ours=0.9) == os.SCHED_BATCH
    made_now = ThreadPoolExecutor(1, initializer=worker.affinity._free)
    for helpers in (None, made_now):
        assert await loop.run_in_executor(helpers, os.sched_getscheduler, 0) == os.SCHED_OTHER
    made_now.shutdown()


async def test_it_is_decided_about_turns_unless_whoever_started_us_has_chosen_a_policy(
    allowed: set[int],
) -> None:
    assert made_on(later := Later()).cpu in allowed
    assert later.names == ["_look", "_decide_turns"]
    os.sched_setaffinity(0, allowed)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    made_on(later := Later())
    assert later.names == ["_look"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EINVAL])
async def test_a_container_that_forbids_or_does_not_know_a_policy_is_asked_once(
    allowed: set[int], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    worker = Worker(monkeypatch)

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    worker.passes(ours=0.9)
    monkeypatch.setattr("fastproxy.affinity.os.sched_setscheduler", refuse)
    worker.passes(ours=0.9)
    assert len(worker.later) == 1  # it was not asked for again
    assert not worker.affinity.take_turns


async def test_a_c_library_that_knows_no_policies_leaves_them_alone(
    allowed: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_pid: int) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fastproxy.affinity.os.sched_getscheduler", unknown)
    affinity = made_on(later := Later())
    assert later.names == ["_look"]
    assert os.sched_getaffinity(0) == {affinity.cpu}


async def test_threads_interrupt_each_other_again_though_the_system_failed_once(
    allowed: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(monkeypatch)
    worker.passes(ours=0.9)
    worker.passes(ours=0.9)
    with monkeypatch.context() as patched:
        patched.setattr(worker.affinity, "_kept", Path("/no/such/folder").iterdir)
        assert worker.passes(ours=0.1, idle=0.9) == os.SCHED_BATCH
    assert worker.passes(ours=0.1, idle=0.9) == os.SCHED_OTHER


async def test_turns_are_decided_later_where_the_system_does_not_tell_now(
    allowed: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(monkeypatch)
    worker.passes(ours=0.9)
    with monkeypatch.context() as patched:
        patched.setattr(worker.affinity, "_usage", dict[str, Usage]().popitem)
        assert worker.passes(ours=0.9) == os.SCHED_OTHER
    assert worker.passes(ours=0.9) == os.SCHED_OTHER
    assert worker.passes(ours=0.9) == os.SCHED_BATCH


class Later:
    """A loop that notes the names of what it is to call."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def time(self) -> float:
        return 0.0

    def set_default_executor(self, _helpers: object) -> None:
        pass

    def call_later(self, _seconds: float, work: Any, *_: object) -> None:
        self.names.append(work.__name__)


def made_on(later: Later) -> Affinity:
    """An Affinity whose loop calls nothing."""
    return Affinity(cast("asyncio.AbstractEventLoop", later), print)
