"""A Redis of a test's own: a real server on a free port that keeps nothing, and can be killed and frozen."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from typing import Self

from testkit.process import clean_environment, free_port

BINARY = shutil.which("redis-server")
"""None: this machine has no Redis."""


class RedisServer:
    """`redis-server` on 127.0.0.1; ready when constructed."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, empty; returns when it takes connections."""
        if BINARY is None:
            raise RuntimeError("redis-server is not installed")
        self._child = subprocess.Popen(  # noqa: S603 - a program of this machine
            [BINARY, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
        )
        give_up = time.monotonic() + 10
        while time.monotonic() < give_up:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        self.kill()
        raise RuntimeError("redis-server did not start")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._child.kill()
        self._child.wait()

    def freeze(self) -> None:
        """Let it answer nothing, its connections open."""
        self._child.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._child.send_signal(signal.SIGCONT)
