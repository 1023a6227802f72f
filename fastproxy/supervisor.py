"""The parent of several workers: starts them, replaces one that dies, ends them all."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING

import structlog

from fastproxy.observability import logging
from fastproxy.server import DRAIN_GRACE_SECONDS, Plan

if TYPE_CHECKING:
    from fastproxy.observability.metrics import DeadWorkers

RESPAWN_SECONDS = 1.0
"""A worker that dies at once is not started again faster than this."""
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def supervise(chosen: Plan, main: Callable[[Plan], None]) -> int:
    """Runs the plan's workers until a signal; returns the exit status."""
    logging.configure(chosen.settings.server.log_level, chosen.settings.server.log_format)
    folder = tempfile.mkdtemp(prefix="fastproxy-metrics-")
    os.environ[METRICS_VARIABLE] = folder  # noqa: TID251 - read by prometheus_client in the workers
    try:
        return _Supervisor(chosen, main).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Supervisor:
    def __init__(self, chosen: Plan, main: Callable[[Plan], None]) -> None:
        self._plan, self._main = chosen, main
        # a forked worker would inherit our signal handling and swallow a SIGTERM while it still imports
        self._context = multiprocessing.get_context("spawn")
        self._stop = threading.Event()
        self._log = structlog.get_logger()
        self._dead: DeadWorkers | None = None
        self._buried: set[int | None] = set()

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        workers: list[SpawnProcess] = []
        try:
            workers.extend(self._start() for _ in range(self._plan.workers))
            while not self._stop.is_set():
                wait([worker.sentinel for worker in workers], timeout=0.5)
                workers = [worker if worker.is_alive() else self._replace(worker) for worker in workers]
        finally:
            self._end(workers)  # or Python would wait for them for ever
        return 0

    def _start(self) -> SpawnProcess:
        worker = self._context.Process(target=self._main, args=(self._plan,), name="fastproxy-worker")
        worker.start()
        return worker

    def _replace(self, dead: SpawnProcess) -> SpawnProcess:
        if dead.pid not in self._buried:
            self._bury(dead)
        self._stop.wait(RESPAWN_SECONDS)
        try:
            return self._start()
        except OSError as error:  # no memory, no process, no working directory: the others serve on
            self._log.error("a worker cannot be started", reason=str(error))
            return dead  # and is replaced in a moment

    def _bury(self, dead: SpawnProcess) -> None:
        from fastproxy.observability.metrics import DeadWorkers  # not before METRICS_VARIABLE is set

        self._log.error("a worker died and is replaced", pid=dead.pid, exit_code=dead.exitcode)
        if self._dead is None:
            self._dead = DeadWorkers()
        self._dead.bury(dead.pid or 0)
        self._buried.add(dead.pid)

    def _end(self, workers: list[SpawnProcess]) -> None:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.terminate()
        limit = time.monotonic() + self._plan.settings.server.drain_seconds + 3 * DRAIN_GRACE_SECONDS
        for worker in workers:
            worker.join(max(0.0, limit - time.monotonic()))
            if worker.is_alive():
                self._log.error("a worker did not end in time and is killed", pid=worker.pid)
                worker.kill()
                worker.join()
