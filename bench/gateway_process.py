"""A gateway that runs: started as its users start it, timed until it has answered a chat, and ended."""

from __future__ import annotations

import http.client
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import orjson

from bench.gateways import Gateway, Place
from bench.http_bytes import PATH, chat_body
from bench.load import Target
from testkit.process import Program, clean_environment, free_port

_ANSWER_TIMEOUT_SECONDS = 10.0
_END_TIMEOUT_SECONDS = 3.0
_VERSION_TIMEOUT_SECONDS = 60.0
_VERSION = re.compile(r"(?<![\w.])v?(\d+\.\d+\.\d+)")


class RunningGateway:
    """In a folder of its own, on a free port of 127.0.0.1; it has answered when constructed."""

    def __init__(self, gateway: Gateway, upstream: str, models: list[str]) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="compared-", ignore_cleanup_errors=True)
        folder = Path(self._directory.name)
        place = Place(upstream, free_port(), models)
        for name, text in gateway.files(place).items():
            (folder / name).write_text(text, "utf-8")
        environment = {"HOME": str(folder), **gateway.environment}
        began = time.monotonic()
        self._program = Program(gateway.command(place), folder, environment)
        headers = gateway.headers(place)
        try:
            self._wait_for_an_answer(place.port, headers, began + gateway.start_timeout)
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.monotonic() - began
        self.target = Target(f"http://127.0.0.1:{place.port}", headers, self._program.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def rss_mib(self) -> float:
        """Resident memory of all its processes, in MiB."""
        return sum(self._program.rss_bytes()) / 2**20

    def stop(self) -> None:
        """End it, however it takes it."""
        self._program.stop(_END_TIMEOUT_SECONDS)
        self._directory.cleanup()

    def _wait_for_an_answer(self, port: int, headers: Mapping[str, str], give_up: float) -> None:
        while time.monotonic() < give_up and self._program.exit_code() is None:
            if _answers(port, headers):
                return
            time.sleep(0.005)
        raise RuntimeError(f"it did not answer in time: {self._program.output()[-2000:]}")


def _answers(port: int, headers: Mapping[str, str]) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_TIMEOUT_SECONDS)
    try:
        connection.request("POST", PATH, orjson.dumps(chat_body("bench-n1")), dict(headers))
        answer = connection.getresponse()
        return answer.status == 200 and b"choices" in answer.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def version(gateway: Gateway) -> str:
    """What it says of its version, in one line."""
    told = subprocess.run(
        gateway.version,
        capture_output=True,
        check=False,
        timeout=_VERSION_TIMEOUT_SECONDS,
        env=clean_environment(),
    )
    return in_one_line((told.stdout + told.stderr).decode())


def in_one_line(told: str) -> str:
    """The version number in what a program says of itself; all of its first line where there is none."""
    found = _VERSION.search(told)
    return found[1] if found else told.strip().partition("\n")[0]
