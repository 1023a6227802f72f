"""A worker's threads on one processor, seen from outside: what the kernel says of the running process."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from testkit.proxy import FastproxyProcess

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="this machine has one processor, or cannot choose among them",
)


def affinities(pid: int) -> dict[str, list[set[int]]]:
    """Names of a process's threads -> where each of that name may run."""
    found: dict[str, list[set[int]]] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        found.setdefault(name, []).append(os.sched_getaffinity(int(task.name)))
    return found


def test_the_threads_that_take_turns_share_one_processor() -> None:
    with FastproxyProcess("") as proxy:
        httpx.get(f"{proxy.url}/health", trust_env=False)
        assert os.sched_getaffinity(proxy.pid) != os.sched_getaffinity(0)
        (own,) = os.sched_getaffinity(proxy.pid)
        python = affinities(proxy.pid)[(Path(f"/proc/{proxy.pid}/comm").read_text().strip())]
        # the main thread and Granian's two; helpers may run anywhere
        assert sum(allowed == {own} for allowed in python) >= 3


def test_threads_run_anywhere_where_that_is_wanted() -> None:
    with FastproxyProcess("[server]\ncpu_affinity = 'none'\n") as proxy:
        everywhere = os.sched_getaffinity(0)
        assert all(one == everywhere for several in affinities(proxy.pid).values() for one in several)
