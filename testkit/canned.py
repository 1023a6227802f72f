"""What the mock answers without a script: a good answer in the wire format that the path names.

A model's name may set the answer's length and pace: `bench-n100-r50` streams 100 events at 50 a second, each
stamped with its send time ("t=", 19 digits of `time.monotonic_ns`), which is one clock for all processes of a
machine.
"""

from __future__ import annotations

import asyncio
import re
import time
from functools import lru_cache
from typing import NamedTuple

import orjson

from testkit.formats import ANTHROPIC, DOCUMENTS, GEMINI, OLLAMA, OPENAI, Format
from testkit.http1 import Connection, Performance, Request
from testkit.script import model_of

WORDS = ("Hello", " from", " the", " mock.")
_SHAPE = re.compile(r"bench-n(\d+)(?:-r(\d+))?")
_LAST_CHUNK = b"0\r\n\r\n"
_STAMP_LENGTH = len("t=") + 19

_FORMATS: tuple[tuple[str, Format, bool | None], ...] = (
    ("/chat/completions", OPENAI, None),
    ("/v1/messages", ANTHROPIC, None),
    (":streamRawPredict", ANTHROPIC, True),
    (":rawPredict", ANTHROPIC, False),
    (":generateContent", GEMINI, False),
    (":streamGenerateContent", GEMINI, True),
    ("/api/chat", OLLAMA, None),
)
"""The end of the path -> its format, and whether it streams (None: the body's `stream` says)."""


class _Plan(NamedTuple):
    """A stream, ready to be sent: every piece already framed, but for the time stamps."""

    head: bytes
    before_text: bytes
    after_text: bytes
    closing: bytes
    events: int
    interval: float
    """Seconds between events; 0: all at once."""


def respond(method: str, status: str, body: bytes, content_type: str = "application/json") -> bytes:
    """A whole HTTP response; HEAD gets the headers alone."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + (b"" if method == "HEAD" else body)


def answer(request: Request) -> bytes | Performance:
    """The canned answer to a request; 404 where no wire format has the path."""
    path = request.path
    for ending, wire_format, streams in _FORMATS:
        if path.endswith(ending):
            return _chat(request, ending, wire_format, streams)
    for ending, document in DOCUMENTS.items():
        if path.endswith(ending):
            return _document(request, document)
    error = {"error": {"message": f"the mock has no answer for {path}", "type": "not_found"}}
    return respond(request.method, "404 Not Found", orjson.dumps(error))


def _document(request: Request, document: object) -> bytes:
    is_text = isinstance(document, str)
    body = document.encode() if isinstance(document, str) else orjson.dumps(document)
    content_type = "application/text\r\nMetadata-Flavor: Google" if is_text else "application/json"
    if "computeMetadata" in request.target and not is_text:
        content_type += "\r\nMetadata-Flavor: Google"
    return respond(request.method, "200 OK", body, content_type)


def _chat(request: Request, ending: str, wire_format: Format, streams: bool | None) -> bytes | Performance:
    body = request.json()
    if streams is None:
        streams = bool(body.get("stream", wire_format is OLLAMA))
    model = model_of(request) if "/models/" in request.target else str(body.get("model", "mock-1"))
    if not streams:
        return _unary(wire_format, model)
    options = body.get("stream_options")
    include_usage = isinstance(options, dict) and bool(options.get("include_usage"))
    plan = _plan(wire_format, model, include_usage)
    return PacedStream(plan) if plan.interval else _whole_stream(plan)


@lru_cache(256)
def _unary(wire_format: Format, model: str) -> bytes:
    return respond("POST", "200 OK", orjson.dumps(wire_format.unary(model, "".join(WORDS))))


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@lru_cache(256)
def _plan(wire_format: Format, model: str, include_usage: bool) -> _Plan:
    template = wire_format.stream(model, include_usage)
    shape = _SHAPE.search(model)
    events, rate = (int(shape[1]), int(shape[2] or 0)) if shape else (0, 0)
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {template.content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
    opening = [_framed(event) for event in template.opening]
    if not shape:
        opening += [_framed(template.before_text + word.encode() + template.after_text) for word in WORDS]
    size = len(template.before_text) + _STAMP_LENGTH + len(template.after_text)
    return _Plan(
        head=head.encode() + b"".join(opening),
        before_text=b"%x\r\n%b" % (size, template.before_text),
        after_text=template.after_text + b"\r\n",
        closing=b"".join(_framed(event) for event in template.closing) + _LAST_CHUNK,
        events=events,
        interval=1 / rate if rate else 0.0,
    )


def _stamped_event(plan: _Plan) -> bytes:
    return b"%bt=%019d%b" % (plan.before_text, time.monotonic_ns(), plan.after_text)


def _whole_stream(plan: _Plan) -> bytes:
    return b"".join([plan.head, *(_stamped_event(plan) for _ in range(plan.events)), plan.closing])


class PacedStream:
    """Sends a plan's events at their times even if the client falls behind: no event's delay is hidden."""

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self._sent = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, connection: Connection, request: Request) -> None:
        """Send the head, and the first event at once."""
        self._connection = connection
        self._request = request
        self._due = self._loop.time()
        connection.transport.write(self._plan.head)
        self._tick()

    def cancel(self) -> None:
        """The client has gone."""
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        plan = self._plan
        if self._sent == plan.events:
            self._connection.transport.write(plan.closing)
            self._connection.end()
            return
        event = _stamped_event(plan)
        self._connection.transport.write(event)
        self._request.sent += len(event)
        self._sent += 1
        self._due += plan.interval
        self._timer = self._loop.call_at(self._due, self._tick)
