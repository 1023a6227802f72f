"""fastproxy in a process of its own, as a user starts it: a configuration file, a port, SIGTERM to end."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx

from testkit.process import Process, free_port


class FastproxyProcess:
    """`python -m fastproxy serve` on a free port of 127.0.0.1, with the configuration given as TOML text."""

    def __init__(
        self, config: str, environment: Mapping[str, str] | None = None, start_timeout: float = 15.0
    ) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="fastproxy-")
        directory = Path(self._directory.name)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config_file = directory / "fastproxy.toml"
        config_file.write_text(config, "utf-8")
        arguments = ["serve", "--config", str(config_file), "--host", "127.0.0.1", "--port", str(self.port)]
        # HOME is empty, so that no credential or configuration of the user is found.
        clean_home = {"HOME": str(directory)}
        started = time.monotonic()
        self.process = Process("fastproxy", arguments, directory, {**clean_home, **(environment or {})})
        self._wait_until_live(start_timeout)
        self.start_seconds = time.monotonic() - started

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the parent."""
        return self.process.pid

    def output(self) -> str:
        """What it has written so far: standard output, then standard error."""
        return self.process.output()

    def rss_bytes(self) -> int:
        """Resident memory of the server and its children, in bytes."""
        return self.process.rss_bytes()

    def stop(self, timeout: float = 10.0, exit_code: int = 0) -> str:
        """End it by SIGTERM; its output, or an AssertionError unless it ends by itself, as expected."""
        status = self.process.stop(timeout)
        output = self.output()
        self._directory.cleanup()
        if status != exit_code:
            raise AssertionError(
                f"fastproxy ended with {status}, not {exit_code}, within {timeout} s:\n{output}"
            )
        return output

    def _wait_until_live(self, timeout: float) -> None:
        give_up = time.monotonic() + timeout
        with httpx.Client(trust_env=False, timeout=2) as client:
            while time.monotonic() < give_up and self.process.exit_code() is None:
                try:
                    if client.get(f"{self.url}/health/live").status_code == 200:
                        return
                except httpx.TransportError:
                    time.sleep(0.005)
        self.process.stop(timeout=1)
        output = self.output()
        self._directory.cleanup()
        raise RuntimeError(f"fastproxy did not become live within {timeout} s:\n{output}")
