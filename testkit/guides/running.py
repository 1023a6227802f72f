"""What a page starts: a command with all that it starts in turn, ended as one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

_END_SECONDS = 10.0


class Running:
    """A command in a session of its own, its output in a file."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path
    ) -> None:
        self._output, self._has_ended = output, False
        with output.open("wb") as file:
            self._process = subprocess.Popen(  # noqa: S603 - our own guides
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def output(self) -> str:
        """What it has said so far."""
        return self._output.read_text("utf-8", "replace")

    def wait(self, timeout: float) -> int:
        """Its exit status. Raises RuntimeError where it has not ended after `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"has not ended after {timeout:g} s:\n{self.output()[-4000:]}") from None

    def wait_until_it_answers(self, address: str, timeout: float) -> None:
        """Until it answers 200 there. Raises RuntimeError where it ends first, or takes longer."""
        limit = time.monotonic() + timeout
        with httpx.Client(timeout=2, trust_env=False) as client:
            while self.runs() and time.monotonic() < limit:
                with contextlib.suppress(httpx.HTTPError):
                    if client.get(address).status_code == 200:
                        return
                time.sleep(0.05)
        raise RuntimeError(f"{address} does not answer:\n{self.output()[-4000:]}")

    def end(self) -> None:
        """Ends it and all that it started; once, since its number may be another's later."""
        if self._has_ended:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            limit = time.monotonic() + _END_SECONDS
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
                while time.monotonic() < limit:
                    self._process.poll()
                    os.killpg(self._process.pid, 0)
                    time.sleep(0.02)
                continue
            break
        self._process.wait()
        self._has_ended = True
