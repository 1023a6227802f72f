"""A test's handle on the mock upstream: starts its process, programs it, and asks what it saw."""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import orjson

from testkit.process import Process

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request as the mock got it; times are `time.monotonic_ns`."""

    method: str
    path: str
    query: dict[str, str]
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    opened_ns: int
    closed_ns: int
    """0 while it is being answered."""
    aborted: bool
    """The client closed the connection before the answer's end."""
    sent: int
    """Bytes of the answer written so far."""

    def header(self, name: str) -> str | None:
        """The first header of this lower-case name."""
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Json:
        """The body, decoded."""
        value: Json = orjson.loads(self.body)
        return value


class MockUpstream:
    """The mock upstream in a process of its own, on a free port of 127.0.0.1."""

    def __init__(self, remember: int | None = None) -> None:
        """`remember`: how many requests it keeps for who asks; many large ones would fill the memory."""
        self._directory = tempfile.TemporaryDirectory(prefix="mock-upstream-")
        arguments = ["--port", "0"] + ([] if remember is None else ["--remember", str(remember)])
        self._process = Process("testkit.mock_upstream", arguments, Path(self._directory.name))
        self.port = self._read_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._http = httpx.Client(base_url=f"{self.url}/_mock", timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def script(self, *replies: Json, path: str = "", model: str = "", method: str = "") -> None:
        """Answer the requests that match by these replies in turn, the last one again and again.

        `path` is the end of a path. A reply has the fields of `testkit.script.Reply`; its body is `json`,
        `body` (text) or `chunks` (each a text, or `{"text" | "base64", "gate", "delay_ms"}`), `paced` is a
        rate of chunks a second.
        """
        match = {"path": path, "model": model, "method": method}
        self._send("POST", "/script", {"match": match, "replies": replies})

    def release(self, gate: str, count: int = 1) -> None:
        """Let `count` chunks through this gate, now or when they come."""
        self._send("POST", f"/gate/{gate}?count={count}")

    def requests(self) -> list[Recorded]:
        """All requests since the last reset."""
        return _recorded(self._send("GET", "/requests"))

    def wait(self, state: str, at_least: int = 1, timeout: float = 5.0) -> list[Recorded]:
        """All requests, as soon as `at_least` of them are "received", "ended", "finished" or "aborted".

        Raises `TimeoutError` after `timeout` seconds, and says what the requests were.
        """
        query = {"state": state, "at_least": str(at_least), "timeout_ms": str(int(timeout * 1000))}
        response = self._http.get("/requests", params=query)
        requests = _recorded(response)
        if response.status_code == 408:
            raise TimeoutError(f"waited {timeout} s for {at_least} request(s) {state}: {requests}")
        return requests

    def reset(self) -> None:
        """Forget scripts, gates and requests."""
        self._send("DELETE", "/requests")

    def stats(self) -> dict[str, int]:
        """requests, in_flight, most_in_flight, connections, most_connections (this handle's own included)."""
        stats: dict[str, int] = self._send("GET", "/stats").json()
        return stats

    def close(self) -> None:
        """End the process."""
        self._http.close()
        self._process.stop(timeout=5)
        self._directory.cleanup()

    def _send(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        response = self._http.request(method, path, json=body)
        if response.is_error:
            raise ValueError(f"the mock refused {method} {path}: {response.text}")
        return response

    def _read_port(self) -> int:
        give_up = time.monotonic() + 20
        while time.monotonic() < give_up and self._process.exit_code() is None:
            line = self._process.stdout_file.read_text()
            if line.endswith("\n"):
                return int(line)
            time.sleep(0.01)
        output = self._process.output()
        self._process.stop(timeout=1)
        self._directory.cleanup()
        raise RuntimeError(f"the mock upstream did not start: {output}")


def _recorded(response: httpx.Response) -> list[Recorded]:
    return [
        Recorded(
            **item | {"body": base64.b64decode(item["body"]), "headers": [(n, v) for n, v in item["headers"]]}
        )
        for item in response.json()
    ]


def sse(documents: Sequence[Json | str], newline: str = "\n", gate: str = "") -> list[Json]:
    """Chunks of a server-sent event stream, one event each; `gate` makes every event wait for its release."""
    texts = (
        document if isinstance(document, str) else orjson.dumps(document).decode() for document in documents
    )
    return [{"text": f"data: {text}{newline * 2}", "gate": gate} for text in texts]


SSE_HEADERS = {"content-type": "text/event-stream"}
NEVER_ANSWERS: Json = {"framing": "raw", "chunks": [], "end": "stall"}
RESETS: Json = {"framing": "raw", "chunks": [], "end": "reset"}
CLOSES: Json = {"framing": "raw", "chunks": [], "end": "close"}
HALF_A_HEAD: Json = {"framing": "raw", "chunks": ["HTTP/1.1 200 OK\r\ncontent-ty"], "end": "close"}
GARBAGE: Json = {"framing": "raw", "chunks": [{"base64": "AAECgP/+UE9TVA=="}], "end": "close"}
