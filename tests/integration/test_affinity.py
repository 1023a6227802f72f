"""A worker's threads on one processor, seen from outside: what the kernel says of the running process."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import httpx
import pytest

from testkit.claude import until
from testkit.process import descendants
from testkit.proxy import FastproxyProcess

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="this machine has one processor, or cannot choose among them",
)


def affinities(pid: int) -> list[frozenset[int]]:
    """Where each thread of a process and its descendants may run."""
    return [
        frozenset(os.sched_getaffinity(int(task.name)))
        for one in (pid, *descendants(pid))
        for task in Path(f"/proc/{one}/task").iterdir()
    ]


def most_on_one(pid: int) -> int:
    """How many threads are kept together."""
    return max(Counter(allowed for allowed in affinities(pid) if len(allowed) == 1).values(), default=0)


def test_the_threads_of_a_worker_share_one_processor() -> None:
    with FastproxyProcess("") as proxy:
        httpx.get(f"{proxy.url}/health", trust_env=False)
        # the main thread and Granian's two; helpers, and an executable's loader, may run anywhere
        until(lambda: most_on_one(proxy.pid) >= 3)


def test_threads_run_anywhere_where_that_is_wanted() -> None:
    with FastproxyProcess("[server]\ncpu_affinity = 'none'\n") as proxy:
        assert set(affinities(proxy.pid)) == {frozenset(os.sched_getaffinity(0))}
