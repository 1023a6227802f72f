"""A client so simple that nothing happens between the socket and the test."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import orjson


class RawClient:
    """One connection; `read` gives what has come, at most `size` bytes."""

    def __init__(self, url: str, *, timeout: float = 10.0, receive_buffer: int = 0) -> None:
        parts = urlsplit(url)
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((parts.hostname, parts.port))
        self.seen = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def post(self, path: str, body: Any, key: str) -> None:
        """Sends a JSON request."""
        data = orjson.dumps(body)
        head = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + data)

    def read_until(self, needle: bytes) -> bytes:
        """All that was read once `needle` is among it; an AssertionError where the connection ends first."""
        while needle not in self.seen:
            piece = self.socket.recv(65_536)
            assert piece, f"the connection ended without {needle!r}: {self.seen[-500:]!r}"
            self.seen += piece
        return self.seen

    def read_to_end(self) -> bytes:
        """All that was read until the connection ended."""
        while piece := self.socket.recv(65_536):
            self.seen += piece
        return self.seen

    def close(self) -> None:
        """Leaves at once."""
        self.socket.close()
