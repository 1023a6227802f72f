"""Starts and watches the bridge to the claude CLI: one Node process beside all workers, restarted if it dies.

It lives in a thread of the parent process. The bridge ends when the pipe on its standard input does, so that
it cannot outlive a parent that was killed.
"""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from typing import IO

import orjson
import structlog

from fastproxy.config.bridge import BridgeLaunch

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0
"""Between two starts; doubled each time, until it has run for a while."""
STOP_SECONDS = 5.0


class Bridge:
    """The running bridge. `start` returns at once; `stop` ends it and its claude processes."""

    def __init__(
        self,
        launch: BridgeLaunch,
        port: int,
        secret: str,
        *,
        first_wait: float = FIRST_WAIT_SECONDS,
        longest_wait: float = LONGEST_WAIT_SECONDS,
    ) -> None:
        self._command = [launch.node, launch.bundle]
        self._environment = launch.environment_at(port, secret)
        self._first_wait, self._longest_wait = first_wait, longest_wait
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep_running, name="bridge", daemon=True)
        self._log = structlog.get_logger()

    def __repr__(self) -> str:
        return f"<Bridge pid={self._process.pid if self._process else None}>"

    def start(self) -> None:
        """Begins to run the bridge, and to run it anew whenever it dies."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it; returns when it is gone."""
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join(STOP_SECONDS)

    def _keep_running(self) -> None:
        wait = self._first_wait
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._run_once()
            if self._stopping.is_set():
                return
            if time.monotonic() - began > self._longest_wait:
                wait = self._first_wait
            self._log.error("the bridge ended and is started again", exit_code=code, in_seconds=wait)
            self._stopping.wait(wait)
            wait = min(2 * wait, self._longest_wait)

    def _run_once(self) -> int | None:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own bundle, by node's full path
                self._command,
                env=self._environment,
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,  # a Ctrl-C ends us, and we end it
            )
        except OSError as error:
            self._log.error("the bridge cannot be started", reason=error.strerror)
            return None
        self._process = process
        with process:  # closes its pipes
            if self._stopping.is_set():  # `stop` has not seen it
                process.terminate()
            if process.stderr is not None:
                self._pass_on(process.stderr)
            return process.wait()

    def _pass_on(self, lines: IO[bytes]) -> None:
        """The bridge's own log lines among ours."""
        for line in lines:
            try:
                fields = orjson.loads(line)
                level, event = fields.pop("level"), fields.pop("event")
                fields.pop("time", None)
            except (orjson.JSONDecodeError, KeyError, AttributeError, TypeError):
                level, event, fields = "warn", line.decode("utf-8", "replace").strip()[:500], {}
            write = {"debug": self._log.debug, "info": self._log.info, "error": self._log.error}
            write.get(level, self._log.warning)(event, logger="bridge", **fields)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
