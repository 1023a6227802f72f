"""What a test can make the mock answer: scripts of replies, read from JSON, and their performance.

Every fault is a reply: an error status, a late or missing answer, half a head, garbage, a cut or reset body,
bytes split anywhere, a stream that waits for the test (a gate) before each event.
"""

from __future__ import annotations

import asyncio
import base64
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

import orjson

from testkit.http1 import Connection, Request

Json = dict[str, Any]


class Gates:
    """Named counters: a gated chunk is sent for each release."""

    def __init__(self) -> None:
        self._gates: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(0))

    def release(self, name: str, times: int) -> None:
        """Let that many chunks through, now or when they come."""
        for _ in range(times):
            self._gates[name].release()

    async def passed(self, name: str) -> None:
        """Wait until one more chunk may go."""
        await self._gates[name].acquire()

    def clear(self) -> None:
        """Forget all releases; what waits at an old gate waits until its client goes."""
        self._gates.clear()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer's body, and what it waits for."""

    data: bytes
    gate: str = ""
    delay_ms: float = 0.0

    @classmethod
    def parse(cls, value: str | Json) -> Self:
        """A chunk from its JSON: a string, or an object with `text` or `base64`, and `gate`, `delay_ms`."""
        if isinstance(value, str):
            return cls(value.encode())
        data = base64.b64decode(value["base64"]) if "base64" in value else str(value.get("text", "")).encode()
        return cls(data, value.get("gate", ""), value.get("delay_ms", 0.0))


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the mock, and how it is sent."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    chunks: tuple[Chunk, ...] = ()
    framing: str = "chunked"
    """"chunked", "length" (Content-Length), "close" (the end of the connection ends the body), or "raw":
    the chunks are all that is sent, status line and headers included."""
    end: str = "normal"
    """"normal", or before the body's end: "close" the connection, "reset" it, "stall" (stay open, silent)."""
    gate: str = ""
    """Nothing is sent before this gate is released."""
    delay_before_ms: float = 0.0
    delay_between_ms: float = 0.0
    split_bytes: int = 0
    """Cut the body anew into pieces of this many bytes, each sent by itself."""
    repeat: int = 1
    """How often all chunks are sent."""

    @classmethod
    def parse(cls, value: Json) -> Self:
        """A reply from its JSON; unknown keys are refused, lest a misspelled fault be a good answer."""
        rest = dict(value)
        framing = "chunked" if "chunks" in rest else "length"
        headers = rest.pop("headers", {})
        pairs = headers.items() if isinstance(headers, dict) else headers
        paced = rest.pop("paced", None)
        if paced:
            rest["delay_between_ms"] = 1000.0 / paced
        body, document = rest.pop("body", None), rest.pop("json", None)
        chunks = rest.pop("chunks", None)
        if document is not None:
            chunks = [orjson.dumps(document).decode()]
            pairs = [*pairs, ("content-type", "application/json")]
        elif chunks is None:
            chunks = [] if body is None else [body]
        return cls(
            headers=tuple((str(name), str(text)) for name, text in pairs),
            chunks=tuple(Chunk.parse(chunk) for chunk in chunks),
            framing=rest.pop("framing", framing),
            **rest,
        )

    def pieces(self) -> Iterator[Chunk]:
        """The chunks as they are sent."""
        for _ in range(self.repeat):
            yield from self.chunks if not self.split_bytes else self._split()

    def _split(self) -> Iterator[Chunk]:
        for chunk in self.chunks:
            gate, delay = chunk.gate, chunk.delay_ms
            for start in range(0, len(chunk.data), self.split_bytes):
                yield Chunk(chunk.data[start : start + self.split_bytes], gate, delay)
                gate, delay = "", 0.0

    def head(self) -> bytes:
        """Status line and headers, with the framing's own header; nothing where the reply is raw."""
        if self.framing == "raw":
            return b""
        phrase = HTTPStatus(self.status).phrase if self.status in HTTPStatus._value2member_map_ else "Mock"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in self.headers)]
        if self.framing == "chunked":
            lines.append("transfer-encoding: chunked")
        elif self.framing == "length":
            length = sum(len(chunk.data) for chunk in self.chunks) * self.repeat
            lines.append(f"content-length: {length}")
        else:
            lines.append("connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(slots=True)
class Script:
    """Replies for the requests that match: in turn, the last one again and again."""

    replies: tuple[Reply, ...]
    path: str = ""
    """The end of the request's path."""
    model: str = ""
    """The model, in the body or in a Gemini path."""
    method: str = ""
    _used: int = field(default=0)

    @classmethod
    def parse(cls, value: Json) -> Self:
        """A script from its JSON: `{"match": {"path", "model", "method"}, "replies": [...]}`."""
        replies = tuple(Reply.parse(reply) for reply in value["replies"])
        if not replies:
            raise ValueError("a script needs a reply")
        return cls(replies, **value.get("match", {}))

    def matches(self, request: Request) -> bool:
        """Whether this script answers the request."""
        return (
            request.path.endswith(self.path)
            and (not self.method or request.method == self.method)
            and (not self.model or self.model == model_of(request))
        )

    def next_reply(self) -> Reply:
        """The reply whose turn it is."""
        reply = self.replies[min(self._used, len(self.replies) - 1)]
        self._used += 1
        return reply


def model_of(request: Request) -> str:
    """The model that a request names: in a Gemini path, else in the body; empty where none is."""
    _, found, rest = request.path.partition("/models/")
    if found:
        return rest.partition(":")[0]
    return str(request.json().get("model", ""))


class Scripted:
    """Performs one reply on a connection."""

    def __init__(self, reply: Reply, gates: Gates) -> None:
        self._reply = reply
        self._gates = gates
        self._task: asyncio.Task[None] | None = None

    def start(self, connection: Connection, request: Request) -> None:
        """Begin to answer."""
        self._task = asyncio.create_task(self._perform(connection))

    def cancel(self) -> None:
        """The client has gone."""
        if self._task is not None:
            self._task.cancel()

    async def _perform(self, connection: Connection) -> None:
        reply = self._reply
        if reply.gate:
            await self._gates.passed(reply.gate)
        await asyncio.sleep(reply.delay_before_ms / 1000)
        if head := reply.head():
            await connection.write(head)
        await self._send_body(connection)
        if reply.end == "stall":
            await asyncio.Event().wait()
        if reply.end == "normal" and reply.framing == "chunked":
            await connection.write(b"0\r\n\r\n")
        closes = reply.end == "close" or reply.framing in {"close", "raw"}
        connection.end(close=closes, reset=reply.end == "reset")

    async def _send_body(self, connection: Connection) -> None:
        reply = self._reply
        wrap = reply.framing == "chunked"
        for index, chunk in enumerate(reply.pieces()):
            if pause := chunk.delay_ms + (reply.delay_between_ms if index else 0.0):
                await asyncio.sleep(pause / 1000)
            if chunk.gate:
                await self._gates.passed(chunk.gate)
            data = chunk.data
            if data:
                await connection.write(b"%x\r\n%b\r\n" % (len(data), data) if wrap else data)
