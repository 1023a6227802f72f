"""The mock upstream's process: `python -m testkit.mock_upstream --port 0` prints its port on the first line.

Every path is a provider's, but for `/_mock/...`, by which a test programs it and asks what it saw.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import signal
import sys
from collections import deque
from typing import Any

import orjson
import uvloop

from testkit import canned
from testkit.http1 import Connection, Performance, Request
from testkit.script import Gates, Script, Scripted

REMEMBERED = 10_000
_STATES = {
    "received": lambda request: True,
    "ended": lambda request: bool(request.closed_ns),
    "finished": lambda request: bool(request.closed_ns) and not request.aborted,
    "aborted": lambda request: request.aborted,
}


class MockUpstream:
    """Answers requests, remembers them, and obeys `/_mock`."""

    def __init__(self, remember: int = REMEMBERED) -> None:
        self._gates = Gates()
        self._scripts: list[Script] = []
        self._seen: deque[Request] = deque(maxlen=remember)
        self._total = 0
        self._connections: set[Connection] = set()
        self._in_flight = self._most_in_flight = self._most_connections = 0
        self._changed = asyncio.Event()
        self._watchers = 0

    def connected(self, connection: Connection) -> None:
        """A client has connected."""
        self._connections.add(connection)
        self._most_connections = max(self._most_connections, len(self._connections))

    def disconnected(self, connection: Connection) -> None:
        """The connection is gone."""
        self._connections.discard(connection)

    def answer(self, request: Request) -> bytes | Performance:
        """The scripted answer, or the canned one."""
        if request.target.startswith("/_mock/"):
            return Controlled(self, request)
        self._total += 1
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        self._seen.append(request)
        self._tell()
        for script in self._scripts:
            if script.matches(request):
                return Scripted(script.next_reply(), self._gates)
        return canned.answer(request)

    def ended(self, request: Request) -> None:
        """The request was answered to its end, or aborted."""
        if not request.target.startswith("/_mock/"):
            self._in_flight -= 1
            self._tell()

    def _tell(self) -> None:
        if self._watchers:
            self._changed.set()

    async def control(self, request: Request) -> bytes:
        """Obey one `/_mock` request."""
        match request.method, request.path.removeprefix("/_mock/").partition("/"):
            case "POST", ("script", _, _):
                # The newest script that matches wins: a test overrides its fixture's.
                self._scripts.insert(0, Script.parse(orjson.loads(request.body)))
                return _json({})
            case "POST", ("gate", _, name):
                self._gates.release(name, int(request.query.get("count", "1")))
                return _json({})
            case "GET", ("requests", _, _):
                return await self._requests(request.query)
            case "DELETE", ("requests", _, _):
                self._reset()
                return _json({})
            case "GET", ("stats", _, _):
                return _json(self._stats())
        return _json({"error": f"unknown: {request.method} {request.target}"}, "404 Not Found")

    async def _requests(self, query: dict[str, str]) -> bytes:
        """All requests, once `at_least` of them are in `state`, or `timeout_ms` have gone by (408)."""
        holds = _STATES[query.get("state", "received")]
        at_least = int(query.get("at_least", "0"))
        self._watchers += 1
        try:
            async with asyncio.timeout(int(query.get("timeout_ms", "0")) / 1000):
                while sum(map(holds, self._seen)) < at_least:
                    self._changed.clear()
                    await self._changed.wait()
            status = "200 OK"
        except TimeoutError:
            status = "408 Request Timeout"
        finally:
            self._watchers -= 1
        return _json([_described(request) for request in self._seen], status)

    def _reset(self) -> None:
        self._seen.clear()
        self._scripts.clear()
        self._gates.clear()
        self._total = 0
        self._most_in_flight = self._in_flight
        self._most_connections = len(self._connections)

    def _stats(self) -> dict[str, int]:
        return {
            "requests": self._total,
            "in_flight": self._in_flight,
            "most_in_flight": self._most_in_flight,
            "connections": len(self._connections),
            "most_connections": self._most_connections,
        }


class Controlled:
    """Performs a `/_mock` request, which may wait."""

    def __init__(self, mock: MockUpstream, request: Request) -> None:
        self._mock = mock
        self._request = request

    def start(self, connection: Connection, request: Request) -> None:
        """Begin to answer."""
        self._task = asyncio.create_task(self._perform(connection))

    def cancel(self) -> None:
        """The client has gone."""
        self._task.cancel()

    async def _perform(self, connection: Connection) -> None:
        try:
            answer = await self._mock.control(self._request)
        except (KeyError, TypeError, ValueError) as error:
            answer = _json({"error": f"{type(error).__name__}: {error}"}, "400 Bad Request")
        connection.transport.write(answer)
        connection.end()


def _json(value: object, status: str = "200 OK") -> bytes:
    return canned.respond("GET", status, orjson.dumps(value))


def _described(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": request.headers,
        "body": base64.b64encode(request.body).decode(),
        "connection": request.connection,
        "opened_ns": request.opened_ns,
        "closed_ns": request.closed_ns,
        "aborted": request.aborted,
        "sent": request.sent,
    }


async def _serve(host: str, port: int, remember: int) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    mock = MockUpstream(remember)
    server = await loop.create_server(lambda: Connection(mock), host, port, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stopped.wait()
    server.close()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="A programmable mock upstream for tests and benchmarks.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--remember", type=int, default=REMEMBERED, help="so many of the last requests")
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(arguments.host, arguments.port, arguments.remember))


if __name__ == "__main__":
    main()
