"""The mock's HTTP/1.1 server: one asyncio protocol a connection, by hand for speed and for raw faults.

Law: a request is answered only after the one before it on the same connection has ended, and every request
ends exactly once, either finished or aborted by the client.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import time
from itertools import count
from typing import Protocol, cast
from urllib.parse import parse_qsl

import orjson

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_connection_ids = count(1)


class Request:
    """One request as it arrived, and what became of it; times are `time.monotonic_ns`."""

    __slots__ = (
        "aborted",
        "body",
        "closed_ns",
        "connection",
        "head",
        "method",
        "opened_ns",
        "sent",
        "target",
    )

    def __init__(self, head: bytes, body: bytes, connection: int) -> None:
        self.method, self.target, _ = head[: head.find(b"\r\n")].decode("latin-1").split(" ", 2)
        self.head = head
        self.body = body
        self.connection = connection
        self.opened_ns = time.monotonic_ns()
        self.closed_ns = 0
        self.aborted = False
        self.sent = 0

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The query's fields, decoded."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Header pairs in the order they came, names in lower case."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return [(name.lower(), value.strip()) for name, _, value in pairs]

    def json(self) -> dict[str, object]:
        """The body as a JSON object; empty where it is none."""
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return value if isinstance(value, dict) else {}


class Performance(Protocol):
    """An answer that takes time; it calls `Connection.end` when it is over."""

    def start(self, connection: Connection, request: Request) -> None:
        """Begin to answer."""

    def cancel(self) -> None:
        """The client has gone: stop."""


class Service(Protocol):
    """What the connections ask for answers and tell what happens."""

    def connected(self, connection: Connection) -> None:
        """A client has connected."""

    def disconnected(self, connection: Connection) -> None:
        """The connection is gone."""

    def answer(self, request: Request) -> bytes | Performance:
        """The whole answer as bytes, or a performance of it."""

    def ended(self, request: Request) -> None:
        """The request was answered to its end, or aborted."""


class Connection(asyncio.Protocol):
    """One client connection: cuts requests out of the bytes and writes answers."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.id = next(_connection_ids)
        self.transport: asyncio.Transport
        self._buffer = bytearray()
        self._request: Request | None = None
        self._performance: Performance | None = None
        self._resumed: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self.transport = cast(asyncio.Transport, transport)
        self.service.connected(self)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._buffer += data
        if self._request is None:
            self._serve_buffered()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop, promptly also while nothing flows: the socket is always being read."""
        request, self._request = self._request, None
        if self._resumed is not None and not self._resumed.done():
            self._resumed.cancel()
        if request is not None:
            if self._performance is not None:
                self._performance.cancel()
            request.aborted = True
            request.closed_ns = time.monotonic_ns()
            self.service.ended(request)
        self.service.disconnected(self)

    def pause_writing(self) -> None:
        """Called by the loop: the client reads too slowly."""
        self._resumed = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Called by the loop."""
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)
        self._resumed = None

    async def write(self, data: bytes) -> None:
        """Send bytes as a piece of their own; waits while the client does not read."""
        self.transport.write(data)
        if self._request is not None:
            self._request.sent += len(data)
        # A turn of the loop flushes, so that the next piece is not glued to this one.
        await asyncio.sleep(0)
        if self._resumed is not None:
            await self._resumed

    def end(self, *, close: bool = False, reset: bool = False) -> None:
        """The answer is over: go on with the next request, close the connection, or reset it."""
        request, self._request, self._performance = self._request, None, None
        if request is not None:
            request.closed_ns = time.monotonic_ns()
            self.service.ended(request)
        if reset:
            raw = cast(socket.socket, self.transport.get_extra_info("socket"))
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.transport.abort()
        elif close or (request is not None and _CLOSE.search(request.head)):
            self.transport.close()
        elif self._buffer:
            self._serve_buffered()

    def _serve_buffered(self) -> None:
        request = self._cut_request()
        if request is None:
            return
        self._request = request
        answer = self.service.answer(request)
        if isinstance(answer, bytes):
            self.transport.write(answer)
            request.sent = len(answer)
            self.end()
        else:
            self._performance = answer
            answer.start(self, request)

    def _cut_request(self) -> Request | None:
        """The next whole request, taken out of the buffer; None until it is complete."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(buffer[:end])
        length = _LENGTH.search(head)
        start = end + 4
        if length is None and _CHUNKED.search(head):
            decoded = _dechunk(buffer, start)
            if decoded is None:
                return None
            body, stop = decoded
        else:
            stop = start + (int(length[1]) if length else 0)
            if len(buffer) < stop:
                return None
            body = bytes(buffer[start:stop])
        del buffer[:stop]
        return Request(head, body, self.id)


def _dechunk(buffer: bytearray, position: int) -> tuple[bytes, int] | None:
    """A chunked body and where it ends; None until it is complete."""
    body = bytearray()
    while (line_end := buffer.find(b"\r\n", position)) >= 0:
        size = int(buffer[position:line_end].partition(b";")[0], 16)
        position = line_end + 2 + size + 2
        if len(buffer) < position:
            return None
        body += buffer[line_end + 2 : line_end + 2 + size]
        if size == 0:
            return bytes(body), position
    return None
