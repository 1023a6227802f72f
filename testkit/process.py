"""Child processes of tests and benchmarks: a clean environment, output in files, an end in bounded time."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
_PASSED_ON = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TMPDIR", "VIRTUAL_ENV")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment without the keys, proxies and settings of whoever runs the tests."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}  # noqa: TID251
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(extra or {})}


class Program:
    """A command that runs, with its output in `directory`, which is where it runs, too."""

    def __init__(
        self, command: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.stdout_file = directory / "stdout.txt"
        self.stderr_file = directory / "stderr.txt"
        with self.stdout_file.open("wb") as stdout, self.stderr_file.open("wb") as stderr:
            self._child = subprocess.Popen(  # noqa: S603 - our own modules, and what benchmarks compare
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=clean_environment(environment),
                cwd=directory,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._child.poll()

    def output(self) -> str:
        """What it has written so far, both streams."""
        return self.stdout_file.read_text("utf-8", "replace") + self.stderr_file.read_text("utf-8", "replace")

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        self._child.send_signal(number)

    def wait(self, timeout: float) -> int:
        """Its exit code; `subprocess.TimeoutExpired` when it has not ended after `timeout` seconds."""
        return self._child.wait(timeout)

    def stop(self, timeout: float) -> int:
        """End it by SIGTERM; its exit code, or -SIGKILL where it had to be killed, with its children."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                for pid in [*descendants(self.pid), self.pid]:
                    with contextlib.suppress(ProcessLookupError):  # it ended by itself
                        os.kill(pid, signal.SIGKILL)
                self._child.wait()
        return self._child.returncode

    def rss_bytes(self) -> list[int]:
        """Resident memory of it and of each of its descendants, in bytes."""
        return [rss_bytes(pid) for pid in [self.pid, *descendants(self.pid)]]


def program_of(module: str) -> list[str]:
    """What starts a module. FASTPROXY_TEST_EXECUTABLE names a file that stands for fastproxy in all tests."""
    executable = os.environ.get("FASTPROXY_TEST_EXECUTABLE", "")  # noqa: TID251 - the tests' own switch
    return [executable] if executable and module == "fastproxy" else [sys.executable, "-m", module]


class Process(Program):
    """`python -m MODULE ARGUMENTS`, or `program` in its place."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        directory: Path,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = (),
    ) -> None:
        super().__init__([*(program or program_of(module)), *arguments], directory, environment)


class Server:
    """A server process on a free port of 127.0.0.1, in a directory of its own; ready when constructed."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        *,
        files: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        ready_path: str = "/health/live",
        start_timeout: float = 15.0,
        program: Sequence[str] = (),
    ) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix=f"{module}-")
        directory = Path(self._directory.name)
        for name, text in (files or {}).items():
            (directory / name).write_text(text, "utf-8")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # HOME is this directory, so that no credential or configuration of the user is found.
        environment = {"HOME": str(directory), **(environment or {})}
        started = time.monotonic()
        arguments = [*arguments, "--port", str(self.port)]
        self.process = Process(module, arguments, directory, environment, program)
        self._wait_until_ready(ready_path, start_timeout)
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
        return sum(self.process.rss_bytes())

    def worker_rss_bytes(self) -> int:
        """Resident memory of its largest process, in bytes."""
        return max(self.process.rss_bytes())

    def stop(self, timeout: float = 10.0, exit_code: int = 0) -> str:
        """End it by SIGTERM; its output, or an AssertionError unless it ends by itself, as expected."""
        status = self.process.stop(timeout)
        output = self.output()
        self._directory.cleanup()
        if status != exit_code:
            raise AssertionError(f"ended with {status}, not {exit_code}, within {timeout} s:\n{output}")
        return output

    def _wait_until_ready(self, path: str, timeout: float) -> None:
        give_up = time.monotonic() + timeout
        while time.monotonic() < give_up and self.process.exit_code() is None:
            if _answers(self.port, path):
                return
            time.sleep(0.005)
        ended = self.process.exit_code()
        self.process.stop(timeout=1)
        output = self.output()
        self._directory.cleanup()
        why = f"not ready within {timeout} s" if ended is None else f"ended with {ended} at its start"
        raise RuntimeError(f"{why}:\n{output}")


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def descendants(pid: int) -> Iterator[int]:
    """The ids of a process's children, and theirs."""
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):  # a child belongs to the thread that began it
        try:
            children = thread.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in map(int, children.split()):
            yield child
            yield from descendants(child)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat[stat.rindex(")") + 2] != "Z"


def rss_bytes(pid: int) -> int:
    """Resident memory of one process, in bytes; 0 where there is none."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
