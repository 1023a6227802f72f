"""Runs Granian: the socket, the loop, signals, draining; with several workers, their supervisor too.

A worker is Granian's embedded server in one process, on a loop and signals of our own. Several workers are
several such processes on one port (SO_REUSEPORT), watched by a parent that does nothing else.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import secrets
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvloop

from fastproxy.affinity import keep_together
from fastproxy.config import BridgeLaunch, Settings
from fastproxy.observability import logging
from fastproxy.upstream.bridge import Bridge, free_port

if TYPE_CHECKING:
    from fastproxy.app import App

BACKLOG = 2048
CONNECTIONS = 65_536
"""Granian's backpressure counts connections, idle ones too: load is shed by requests, in the pipeline."""
GARBAGE_THRESHOLD = 5_000
"""New objects that hold others until the collector looks at them: some dozen requests' worth."""
DRAIN_GRACE_SECONDS = 2.0
"""What late streams get to say that they end."""


class CannotListenError(Exception):
    """The address cannot be used; the text says why and what to do, `number` is the system's (errno)."""

    def __init__(self, text: str, number: int | None = None) -> None:
        super().__init__(text)
        self.number = number


@dataclass(frozen=True)
class Plan:
    """What a worker process needs; it is handed over, not read again."""

    settings: Settings
    off_reasons: Mapping[str, str]
    port: int
    workers: int
    bridge: Bridge | None = field(default=None, compare=False)
    """The bridge to the claude CLI that the parent runs; a worker of several is not handed it."""


def plan(settings: Settings, off_reasons: Mapping[str, str], launch: BridgeLaunch | None = None) -> Plan:
    """The plan with a port that is free now (port 0: any). Raises CannotListenError.

    Workers share the port with SO_REUSEPORT, which would also let a stranger's process take half of our
    requests: so the port is first tried without it.
    """
    server = settings.server
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((server.host, server.port))
            port = probe.getsockname()[1]
        except OSError as error:
            raise CannotListenError(
                f"cannot listen on {server.host}:{server.port}: {error.strerror or error}. Stop the program "
                "that has the port, or choose another: fastproxy serve --port 4001",
                error.errno,
            ) from None
    if launch is None:
        return Plan(settings, off_reasons, port, server.workers)
    bridge_port, secret = free_port(), secrets.token_hex(32)
    settings = settings.with_bridge(f"http://127.0.0.1:{bridge_port}", secret)
    return Plan(settings, off_reasons, port, server.workers, Bridge(launch, bridge_port, secret))


def run(chosen: Plan) -> int:
    """Serves until a signal ends it; returns the exit status."""
    logging.configure(chosen.settings.server.log_level, chosen.settings.server.log_format)
    if chosen.bridge is None:
        return _run_workers(chosen)
    chosen.bridge.start()
    try:
        return _run_workers(replace(chosen, bridge=None))
    finally:
        chosen.bridge.stop()


def _run_workers(chosen: Plan) -> int:
    if chosen.workers == 1:
        return run_worker(chosen)
    from fastproxy.supervisor import supervise

    return supervise(chosen, worker_process)


def run_worker(chosen: Plan) -> int:
    """One worker, in this process."""
    logging.configure(chosen.settings.server.log_level, chosen.settings.server.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Worker(chosen).serve())
    return 0


def worker_process(chosen: Plan) -> None:
    """The main function of a worker process of several."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent passes the end on as SIGTERM
    raise SystemExit(run_worker(chosen))


class _Worker:
    """Granian around one App, and its orderly end."""

    def __init__(self, chosen: Plan) -> None:
        self._plan = chosen
        self._server = chosen.settings.server
        self._ending: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Serves until SIGTERM or SIGINT, or until the parent is gone; then drains."""
        from granian.constants import HTTPModes, Interfaces
        from granian.server.embed import Server

        from fastproxy.app import App

        loop = asyncio.get_running_loop()
        if self._server.cpu_affinity == "auto":  # before Granian and pyreqwest make their threads
            self._affinity = keep_together(loop, structlog.get_logger().info)
        self._app = App(self._plan.settings, self._plan.off_reasons, multiprocess=self._plan.workers > 1)
        _calm_garbage_collection()
        self._granian = Server(
            self._app.served,
            address=self._server.host,
            port=self._plan.port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,  # with HTTP/2 Granian lets silent connections stay for ever
            websockets=False,
            backlog=BACKLOG,
            backpressure=CONNECTIONS,
            log_enabled=False,
            ssl_cert=Path(self._server.tls_certificate) if self._server.tls_certificate else None,
            ssl_key=Path(self._server.tls_key) if self._server.tls_key else None,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._end)
        parent = multiprocessing.parent_process()
        if parent is not None:
            loop.add_reader(parent.sentinel, self._parent_is_gone, loop, parent.sentinel)
        await self._granian.serve()

    def _parent_is_gone(self, loop: asyncio.AbstractEventLoop, sentinel: int) -> None:
        loop.remove_reader(sentinel)
        self._end()

    def _end(self) -> None:
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(
                _drain(self._app, self._server.drain_seconds)
            )
            self._granian.stop()  # type: ignore[no-untyped-call]


def _calm_garbage_collection() -> None:
    """What was made at start lives for ever, and what a request makes dies by its reference counts: the
    collector need not look at the first at all, nor at the second 700 objects at a time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 10, 10)


async def _drain(app: App, drain_seconds: float) -> None:
    """Lets running answers finish, ends the late ones with an error in their stream, then leaves."""
    await app.pipeline.drain(drain_seconds, DRAIN_GRACE_SECONDS)
    await asyncio.sleep(DRAIN_GRACE_SECONDS)
    app.journal.flush()
    os._exit(0)  # something still holds the server: all requests have ended, nothing of theirs is lost
