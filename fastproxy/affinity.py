"""Keeps a worker's threads together on one processor, as nginx does with `worker_cpu_affinity`.

Only one thread of a process runs Python at a time. Spread over processors, the threads of Granian, pyreqwest
and Python wake each other's processors for every hand-over of that one lock, and find the other's caches
cold: half as much CPU again for a request, and streams whose slowest events take ten times as long
(docs/performance.md). So a worker runs on one processor, and threads made from then on run there too.

A processor is no place to be stuck: where others keep this one busy and another has time, the worker moves.

Whichever of these threads wakes would take the processor from the one that runs, only to wait for the lock
that this one holds. So while a worker is busy and has its processor to itself, none of them interrupts
another (SCHED_BATCH, sched(7)): each hands on all that it has, and a sixth of a request's CPU is saved.
Beside others they must interrupt, or a request would wait for a stranger's time to be up at each of its
hand-overs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

LOOK_SECONDS = 2.0
WAITED_SHARE = 0.05
"""The part of its time that the main thread may wait for a processor before it is asked why."""
OTHERS_SHARE = 0.25
"""The part of our processor that others may use, and what another must have to spare beside ours."""
TURN_SECONDS = 0.25
"""How often it is decided whether our threads interrupt each other."""
BUSY_SHARE, ALONE_SHARE = 0.25, 0.15
"""The part of our processor that we must use, and that others may use, for our threads to take turns."""
_THREADS = Path("/proc/self/task")
_PROCESSORS = Path("/proc/stat")
_NANOSECONDS = 1e9


class Usage(NamedTuple):
    """What was used by a moment, in seconds."""

    at: float
    """The moment, on a clock of its own."""
    ours: float
    """CPU time of this process."""
    waited: float
    """The main thread was ready to run, and did not."""
    idle: Mapping[int, float]
    """Processor -> time in which it had nothing to do."""


def others(before: Usage, after: Usage, cpu: int) -> float:
    """The part of this processor that other processes used."""
    passed = after.at - before.at
    if passed <= 0 or cpu not in before.idle or cpu not in after.idle:
        return 0.0
    return 1.0 - (after.idle[cpu] - before.idle[cpu] + after.ours - before.ours) / passed


def better(before: Usage, after: Usage, cpu: int) -> int:
    """The processor to be on from now on: this one, unless others keep it busy and another is free."""
    passed = after.at - before.at
    if after.waited - before.waited < WAITED_SHARE * passed or others(before, after, cpu) <= OTHERS_SHARE:
        return cpu
    idle = {one: (seconds - before.idle.get(one, seconds)) / passed for one, seconds in after.idle.items()}
    freest = max(idle, key=lambda one: idle[one], default=cpu)
    return freest if idle[freest] > idle[cpu] + OTHERS_SHARE else cpu


class Affinity:
    """This process's threads on one of the processors that it may use. To be made by the main thread, before
    the threads that shall be kept with it; helpers of `asyncio.to_thread` run anywhere."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[..., None]) -> None:
        """`tell` logs a move. Raises OSError, LookupError or ValueError where the system cannot tell what is
        needed to move on."""
        self._loop, self._tell = loop, tell
        self._all = os.sched_getaffinity(0)
        self._before, self.cpu = self._usage(), _current_cpu()
        self.take_turns = False
        """Whether none of our threads interrupts another."""
        self._busy_since: Usage | None = None
        """What was used when it was last looked at how busy we are; None where we were not."""
        # what blocks lets go of Python's lock: it may run beside us, on as many threads as we have processors
        helpers = ThreadPoolExecutor(initializer=self._free, thread_name_prefix="helper")
        os.sched_setaffinity(0, {self.cpu})
        loop.set_default_executor(helpers)
        loop.call_later(LOOK_SECONDS, self._look)
        if _policy() == os.SCHED_OTHER:  # else whoever started us has decided
            loop.call_later(TURN_SECONDS, self._decide_turns, loop.time(), time.process_time())

    def __repr__(self) -> str:
        return f"<Affinity cpu={self.cpu} of {len(self._all)}>"

    def _free(self) -> None:
        with contextlib.suppress(OSError):  # none of them is ours any more: it runs where and as we do
            os.sched_setaffinity(0, self._all)
            if self.take_turns:
                os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

    def _look(self) -> None:
        try:
            after = self._usage()
            wanted = better(self._before, after, self.cpu)
            self._before = after
            # by chance: several workers that meet would all move to the same free processor, again and again
            if wanted != self.cpu and secrets.randbits(1):
                self._move(wanted)
        except (OSError, LookupError, ValueError) as error:  # no file descriptor is free, say: later, then
            self._tell("the processors were not looked at", reason=str(error))
        finally:
            self._loop.call_later(LOOK_SECONDS, self._look)

    def _move(self, cpu: int) -> None:
        try:
            os.sched_setaffinity(0, {cpu})
        except OSError:
            self._all.discard(cpu)  # it was taken from us
            return
        for thread in self._kept():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                os.sched_setaffinity(thread, {cpu})
        first, self.cpu = self.cpu, cpu
        self._tell("moved to a processor with more time", cpu=cpu, before=first)

    def _decide_turns(self, at: float, ours: float) -> None:
        """Called again and again, with the time and our CPU time of the call before."""
        now, used = self._loop.time(), time.process_time()
        try:
            take = self._has_it_alone(busy=used - ours >= BUSY_SHARE * (now - at))
        except (OSError, LookupError, ValueError):  # told by the look for a better processor
            self._busy_since, take = None, False
        try:
            if take != self.take_turns:
                self._set_turns(take)
        except OSError:
            if not self.take_turns:  # a container may forbid it, another system not know the policy
                return
        self._loop.call_later(TURN_SECONDS, self._decide_turns, now, used)

    def _has_it_alone(self, *, busy: bool) -> bool:
        """Whether we are busy, and nobody else used our processor since the call before."""
        before = self._busy_since
        after = self._busy_since = self._usage() if busy else None
        return before is not None and after is not None and others(before, after, self.cpu) < ALONE_SHARE

    def _set_turns(self, take: bool) -> None:
        policy = os.SCHED_BATCH if take else os.SCHED_OTHER
        for thread in self._kept():
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setscheduler(thread, policy, os.sched_param(0))
        self.take_turns = take

    def _kept(self) -> Iterator[int]:
        """Our threads but for the helpers."""
        for name in os.listdir(_THREADS):  # noqa: PTH208 - numbers, not paths
            with contextlib.suppress(OSError):  # it has ended meanwhile
                if os.sched_getaffinity(int(name)) == {self.cpu}:
                    yield int(name)

    def _usage(self) -> Usage:
        waited = int(_main_thread("schedstat").split()[1]) / _NANOSECONDS
        told = _idle_seconds()
        idle = {cpu: told[cpu] for cpu in self._all}  # a container may count its processors anew
        return Usage(self._loop.time(), time.process_time(), waited, idle)


def keep_together(loop: asyncio.AbstractEventLoop, tell: Callable[..., None]) -> Affinity | None:
    """Keeps this process on one processor; None where it has no other, or where the system cannot tell what
    is needed to move on (Linux can)."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        return Affinity(loop, tell) if len(os.sched_getaffinity(0)) > 1 else None
    except (OSError, ValueError, LookupError) as error:
        tell("the threads are not kept on one processor", reason=str(error))
        return None


def _policy() -> int | None:
    """By what rule this thread gets its processor; None where the system does not tell (musl's C library)."""
    try:
        return os.sched_getscheduler(0)
    except OSError:
        return None


def _main_thread(what: str) -> str:
    return (_THREADS / str(os.getpid()) / what).read_text("ascii")


def _current_cpu() -> int:
    """Where this runs, which is where the kernel found room. Source: proc(5), /proc/pid/stat, field 39."""
    return int(_main_thread("stat").rpartition(")")[2].split()[36])


def _idle_seconds() -> dict[int, float]:
    """Source: proc(5), /proc/stat: of each processor the fourth and fifth number, in ticks."""
    ticks = os.sysconf("SC_CLK_TCK")
    rows = [row.split() for row in _PROCESSORS.read_text("ascii").splitlines()]
    return {
        int(row[0][3:]): (int(row[4]) + int(row[5])) / ticks
        for row in rows
        if row[0].startswith("cpu") and row[0] != "cpu"
    }
