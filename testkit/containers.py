"""Containers of our images, by Docker or Podman: hardened as the docs say, on the network of this machine."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
TEMPORARY = "--tmpfs=/tmp:rw,noexec,nosuid,size=64m,mode=1777"
"""The one folder that the processes may write to."""
_PODMAN = ("podman", "--log-level=fatal")
_WITHOUT_SYSTEMD = ("--runtime=runc", "--cgroup-manager=cgroupfs")


def engine() -> list[str]:
    """The command that runs containers here; empty where there is none."""
    if shutil.which("docker") and _succeeds(["docker", "info"]):
        return ["docker"]
    if shutil.which("podman"):
        return [*_PODMAN, *(() if Path("/run/systemd/system").is_dir() else _WITHOUT_SYSTEMD)]
    return []


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - ours


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was built before."""

    engine: Sequence[str]
    name: str

    def call(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """The engine's answer to a command."""
        command = [*self.engine, *arguments]
        return subprocess.run(  # noqa: S603 - the engine found above
            command, capture_output=True, text=True, check=False, timeout=timeout
        )

    def inspect(self) -> dict[str, Any]:
        """What the engine knows of it."""
        [told] = orjson.loads(self.call("image", "inspect", self.name).stdout)
        return dict(told)

    def run(
        self, command: Sequence[str] = (), environment: Mapping[str, str] | None = None, *options: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, hardened."""
        return self.call("run", "--rm", *_options(environment), *options, self.name, *command)

    @contextlib.contextmanager
    def running(self, environment: Mapping[str, str], *options: str) -> Iterator[Container]:
        """It runs, hardened, with a temporary folder; gone afterwards."""
        container = Container(self, f"fastproxy-test-{uuid.uuid4().hex}", time.monotonic())
        settings = [f"--name={container.name}", *_options(environment), TEMPORARY, *options]
        try:
            told = self.call("run", "--detach", *settings, self.name)
            if told.returncode != 0:
                raise RuntimeError(told.stderr)
            yield container
        finally:
            self.call("rm", "--force", container.name)  # also one that was made and did not start


def _options(environment: Mapping[str, str] | None) -> list[str]:
    variables = [f"--env={name}={value}" for name, value in (environment or {}).items()]
    # limits that an outer container allows, where this runs in one
    return ["--network=host", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", *HARDENED, *variables]


@dataclass(frozen=True, slots=True)
class Container:
    """A container that was started at `began` (time.monotonic)."""

    image: Image
    name: str
    began: float

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it."""
        return self.image.call("exec", self.name, *command)

    def logs(self) -> str:
        """What it has written, both streams."""
        told = self.image.call("logs", self.name)
        return told.stdout + told.stderr

    def stop(self, seconds: int) -> int:
        """End it by its own signal; its exit code, 137 where it had to be killed after `seconds`."""
        self.image.call("stop", f"--time={seconds}", self.name, timeout=seconds + 30)
        return int(self.image.call("inspect", "--format={{.State.ExitCode}}", self.name).stdout)
