"""Hostile requests from a seed: valid ones, mutated as HTTP and as JSON. Over raw sockets, each bounded."""

from __future__ import annotations

import contextlib
import gzip
import random
import re
import socket
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import zstandard

EXCHANGE_SECONDS = 5.0
"""No exchange may take longer; a healthy one takes a few milliseconds."""
SILENCE_SECONDS = 0.03
"""After it we end our side: what was sent may have been half a request."""
DEMO_MODELS = (
    "demo-echo",
    "demo-tools",
    "demo-error-400",
    "demo-error-429",
    "demo-error-503",
    "demo-error-midstream",
)
_ASKING = ("/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/embeddings")
_PATHS = (*_ASKING, "/v1/models", "/v1/models/a", "/health", "/metrics")
_METHODS = ("POST", "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT", "PRI", "post", "")
_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
_HISTORY: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "hi"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "done"},
    {"role": "user", "content": "go on"},
]
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, 2**63, -(2**63), "", "x", "\x00", "\u2028", "\U0010ffff",
    "a" * 5000, [], {}, [[]], [None], {"": None}, {"type": "object"}, {"type": []}, ["user"],
)  # fmt: skip
_TOKENS = (
    b"\r\n", b"\n", b"\r", b"\x00", b"\xff", b":", b" ", b"\t", b"{", b"}", b"[" * 50, b'"', b"\\ud800",
    b"NaN", b"1e999", b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n", b"host: b\r\n",
    b"0\r\n\r\n", b"%00", b"expect: 100-continue\r\n", b"content-encoding: zstd\r\n", b"\xed\xa0\x80",
)  # fmt: skip
_HEADERS = (
    "x-a: " + "y" * 9000, "cookie: a=b", "origin: http://localhost:1", "origin: null", "x-request-id: \xff",
    "x-request-id: " + "i" * 300, "content-type: text/plain", "content-type: application/json; charset=x",
    "accept-encoding: br", "authorization: Basic x", "authorization: Bearer", "traceparent: zz",
    "x-forwarded-for: 192.0.2.1", "upgrade: websocket", "te: trailers",
)  # fmt: skip
_ASKED_FOR = b"as you asked it to"
"""What the demo models' errors say: the only failures that are right here."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


@dataclass
class Report:
    """What came back."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


class Attacker:
    """Sends requests made from one seed; the same seed sends the same bytes."""

    def __init__(self, port: int, seed: int, models: Sequence[str] = DEMO_MODELS) -> None:
        self._port, self._random, self._models = port, random.Random(seed), models
        self.report = Report()

    def attack(self, requests: int) -> None:
        """Sends that many, one after the other, and notes what is wrong."""
        for _ in range(requests):
            data, is_whole = self._request()
            began = time.monotonic()
            seen, ended = exchange(self._port, data, EXCHANGE_SECONDS if is_whole else SILENCE_SECONDS)
            seconds = time.monotonic() - began
            self.report.sent += 1
            self.report.slowest_seconds = max(seconds, self.report.slowest_seconds)
            found = [int(status) for status in _STATUS.findall(seen)]
            self.report.statuses.update(found or [0])
            if not ended:
                self.report.failures.append(f"no end within {EXCHANGE_SECONDS} s: {data[:2000]!r}")
            if is_whole and not found:
                self.report.failures.append(f"no answer to {data[:2000]!r}")
            for status in found:
                if status >= 500 and not (status in (502, 503) and _ASKED_FOR in seen):
                    self.report.failures.append(f"{status} for {data[:2000]!r}: {seen[:500]!r}")

    def _request(self) -> tuple[bytes, bool]:
        """The bytes, and whether they are one whole request, however foolish."""
        pick = self._random.random()
        body = self._body()
        if pick < 0.1:
            body = self._mangle(body)
        data, is_whole = self._framed(body)
        return (self._mangle(data), False) if pick > 0.7 else (data, is_whole)

    def _body(self) -> bytes:
        choice = self._random.choice
        document: Any = {"model": choice(self._models), "messages": orjson.loads(orjson.dumps(_HISTORY))}
        document |= {"stream": choice((True, False, None)), "tools": [_TOOL], "temperature": 1, "stop": ["x"]}
        document |= {"response_format": {"type": "json_object"}, "metadata": {"a": "b"}, "input": ["text"]}
        document |= {"stream_options": {"include_usage": True}, "tool_choice": "auto", "max_tokens": 5}
        for _ in range(choice((0, 0, 1, 1, 2, 4))):
            document = self._mutate(document)
        return orjson.dumps(document)

    def _mutate(self, value: Any) -> Any:
        """The document with one value somewhere in it replaced, removed, doubled or wrapped."""
        if not isinstance(value, dict | list) or not value or self._random.random() < 0.15:
            return self._random.choice((*_VALUES, [value], {"a": value}))
        at = self._random.choice(list(value) if isinstance(value, dict) else range(len(value)))
        act = self._random.random()
        copy = value.copy()
        if act < 0.1:
            del copy[at]
        elif act < 0.2 and isinstance(copy, list):
            copy.append(copy[at])
        else:
            copy[at] = self._mutate(copy[at])
        return copy

    def _framed(self, body: bytes) -> tuple[bytes, bool]:
        choice, chance = self._random.choice, self._random.random
        path = _ASKING[chance() < 0.3] if chance() < 0.8 else choice(_PATHS)
        method = ("POST" if path in _ASKING else "GET") if chance() < 0.95 else choice(_METHODS)
        headers = ["host: localhost", "content-type: application/json", "connection: close"]
        for header in [choice(_HEADERS) for _ in range(choice((0, 0, 0, 0, 1, 3)))]:
            known = [name.partition(":")[0] for name in headers]
            name = header.partition(":")[0]
            if name in known and chance() < 0.9:
                headers[known.index(name)] = header
            else:
                headers.append(header)
        wrong = 0
        if chance() < 0.2:
            coding, pack = choice(_CODINGS)
            headers.append(f"content-encoding: {coding}")
            body = pack(body)
        if chance() < 0.2:
            cut = self._random.randint(1, len(body) or 1)
            headers.append("transfer-encoding: chunked")
            body = b"".join(
                b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:cut], body[cut:]) if piece
            )
            body += b"0\r\n\r\n"
        else:
            wrong = choice((0,) * 20 + (1, -1, 10**9))
            headers.append(f"content-length: {max(0, len(body) + wrong)}")
        head = "\r\n".join([f"{method} {path} HTTP/1.1", *headers, "", ""]).encode("latin-1")
        return head + body, not wrong and method.isupper()

    def _mangle(self, data: bytes) -> bytes:
        mangled = bytearray(data)
        for _ in range(self._random.choice((1, 1, 2, 5))):
            at = self._random.randint(0, max(0, len(mangled) - 1))
            act = self._random.randrange(5)
            if act == 0 and mangled:
                mangled[at] ^= 1 << self._random.randrange(8)
            elif act == 1:
                mangled[at:at] = self._random.choice(_TOKENS)
            elif act == 2:
                del mangled[at : at + self._random.randint(1, 40)]
            elif act == 3:
                mangled[at:at] = mangled[at : at + self._random.randint(1, 200)]
            else:
                del mangled[at:]
        return bytes(mangled)


_CODINGS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("zstd", zstandard.compress),
    ("zstd", lambda _body: zstandard.compress(bytes(20_000_000))),
    ("gzip", lambda body: body),
    ("br", lambda body: body),
)


def exchange(port: int, data: bytes, patience: float) -> tuple[bytes, bool]:
    """(what came back, whether the connection ended in time). After `patience` seconds of silence we end our
    side, which ends a request that was cut."""
    deadline = time.monotonic() + EXCHANGE_SECONDS
    seen = b""
    with socket.create_connection(("127.0.0.1", port), timeout=EXCHANGE_SECONDS) as connection:
        try:
            connection.sendall(data)
        except ConnectionError:
            patience = EXCHANGE_SECONDS  # refused before its end
        while (left := deadline - time.monotonic()) > 0:
            connection.settimeout(min(left, patience))
            try:
                piece = connection.recv(65_536)
            except TimeoutError:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                patience = EXCHANGE_SECONDS
                continue
            except ConnectionError:
                return seen, True
            if not piece:
                return seen, True
            seen += piece
    return seen, False
