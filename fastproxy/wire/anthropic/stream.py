"""Anthropic's stream as events.

Rules: unknown events are passed over; the first message_delta with a stop_reason ends the answer; a stream
that ends before it is broken, and so is one that begins a second answer after it has said something.
Source: Anthropic's "Streaming messages".
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.anthropic.blocks import Blocks
from fastproxy.wire.anthropic.errors import Source, error_in_answer, make_error
from fastproxy.wire.anthropic.usage import merged, usage_of
from fastproxy.wire.anthropic.values import object_of, text_of
from fastproxy.wire.events import Event, Fault, Finish, Refusal
from fastproxy.wire.sse import SseDecoder

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "tool_use": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
"""tool_use is "stop" here because what counts is whether the client has a call to answer."""


class MessageReader:
    """Turns Anthropic's events, already parsed, into ours. One object an answer."""

    def __init__(self, request: ChatRequest, source: Source) -> None:
        self._source = source
        self._blocks = Blocks(request)
        self._counts: Json = {}
        self._finished = False
        self.ended = False
        """Nothing more will come: the message is over, or broken."""
        self._handlers: dict[object, Callable[[Json, list[Event]], None]] = {
            "content_block_delta": self._delta,
            "content_block_start": self._start,
            "content_block_stop": self._stop,
            "message_start": self._message_start,
            "message_delta": self._message_delta,
            "message_stop": self._message_stop,
            "error": self._error,
        }

    def take(self, payload: Json, events: list[Event]) -> None:
        """One event of the stream."""
        kind = payload.get("type")
        if kind is None and "error" in payload:
            kind = "error"
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is not None:
            handler(payload, events)

    def whole(self, message: Json, events: list[Event]) -> None:
        """A whole message, read like a stream of full blocks."""
        for index, block in enumerate(message["content"]):
            self._blocks.start(index, object_of(block), events)
            self._blocks.stop(index, events)
        self._message_delta({"delta": message, "usage": message.get("usage")}, events)
        self._message_stop(message, events)

    def close(self, events: list[Event], stray: bytes = b"") -> None:
        """The upstream's bytes have ended."""
        if self.ended:
            return
        if self._finished:
            self._message_stop({}, events)
        else:
            error = _error_in(self._source, stray)
            self.break_off(events, error or self._fault("the stream ended in the middle of the answer."))

    def break_off(self, events: list[Event], error: UpstreamError) -> None:
        """The answer is broken: nothing more comes after this."""
        self.ended = True
        events.append(Fault(error))

    def _delta(self, payload: Json, events: list[Event]) -> None:
        delta = payload.get("delta")
        if isinstance(delta, dict) and not self._finished:
            self._blocks.delta(_index(payload), delta, events)

    def _start(self, payload: Json, events: list[Event]) -> None:
        if not self._finished:
            self._blocks.start(_index(payload), object_of(payload.get("content_block")), events)

    def _stop(self, payload: Json, events: list[Event]) -> None:
        self._blocks.stop(_index(payload), events)

    def _message_start(self, payload: Json, events: list[Event]) -> None:
        if self._finished or self._blocks.any_open_or_said():
            self.break_off(events, self._fault("the answer began a second time in the same stream."))
            return
        self._counts = merged(self._counts, object_of(payload.get("message")).get("usage"))

    def _message_delta(self, payload: Json, events: list[Event]) -> None:
        self._counts = merged(self._counts, payload.get("usage"))
        delta = object_of(payload.get("delta"))
        reason = text_of(delta.get("stop_reason"))
        if reason and not self._finished:
            explanation = text_of(object_of(delta.get("stop_details")).get("explanation"))
            self._finish(reason, explanation if reason == "refusal" else "", events)

    def _message_stop(self, _payload: Json, events: list[Event]) -> None:
        if not self._finished:
            self._finish("", "", events)
        self.ended = True
        usage = usage_of(self._counts)
        if usage is not None:
            events.append(usage)

    def _error(self, payload: Json, events: list[Event]) -> None:
        error = error_in_answer(self._source, payload)
        self.break_off(events, error or self._fault("an error without a message."))

    def _finish(self, native: str, refusal: str, events: list[Event]) -> None:
        self._finished = True
        self._blocks.finish(events)
        if refusal:
            events.append(Refusal(refusal))
        reason = _FINISH.get(native, "stop")
        if reason == "stop" and self._blocks.tools:
            reason = "tool_calls"
        events.append(Finish(reason, native=native))

    def _fault(self, message: str) -> UpstreamError:
        return make_error(self._source, ErrorKind.BAD_RESPONSE, message, None)


class MessagesTranslator:
    """Turns the bytes of one Messages stream into events (see `events.Translator`)."""

    def __init__(self, request: ChatRequest, source: Source) -> None:
        self._source = source
        self._sse = SseDecoder()
        self._reader = MessageReader(request, source)

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        events: list[Event] = []
        if self._reader.ended:
            return events
        for event in self._sse.feed(data):
            self._take(event.data, events)
        return events

    def finish(self) -> list[Event]:
        """The events that the end of the stream completes: a Fault where the answer was not over."""
        events: list[Event] = []
        for event in self._sse.finish():
            self._take(event.data, events)
        self._reader.close(events, self._sse.stray)
        return events

    def _take(self, data: bytes, events: list[Event]) -> None:
        reader = self._reader
        if reader.ended:
            return
        try:
            payload = orjson.loads(data)
        except orjson.JSONDecodeError:
            if data.strip() != b"[DONE]":  # servers that imitate both formats send OpenAI's end as well
                message = "an event of the stream is not JSON."
                reader.break_off(events, make_error(self._source, ErrorKind.BAD_RESPONSE, message, None))
            return
        if isinstance(payload, dict):
            reader.take(payload, events)


def _index(payload: Json) -> int:
    index = payload.get("index")
    return index if isinstance(index, int) else -1


def _error_in(source: Source, stray: bytes) -> UpstreamError | None:
    """The error that came as bare JSON beside the events, if any."""
    try:
        payload = orjson.loads(stray)
    except orjson.JSONDecodeError:
        return None
    return error_in_answer(source, payload) if isinstance(payload, dict) else None
