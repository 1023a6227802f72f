"""Anthropic's own answers on their way to a client that speaks Messages: bytes untouched.

An event is decoded until the first content has come, and then only if its name is not one of a content block:
what begins and ends a message, and an error. JSON holds no bare newline, so an event's name is always one.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.answer import WholeAnswer
from fastproxy.wire.anthropic.envelope import stream_error
from fastproxy.wire.anthropic.errors import Source, error_in_answer, make_error
from fastproxy.wire.anthropic.response import read_message
from fastproxy.wire.anthropic.usage import merged, usage_of
from fastproxy.wire.anthropic.values import object_of, text_of
from fastproxy.wire.events import Carry, Usage
from fastproxy.wire.openai.passthrough import encode_answer
from fastproxy.wire.sse import SseFrames

_BLOCK = b"event: content_block_"
_NEXT_BLOCK = b"\n\n" + _BLOCK
_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}'
_SILENT_BLOCKS = ("text", "thinking")
"""Blocks that say nothing by beginning."""
_SPOKEN = ("text", "thinking", "partial_json")


class MessagesPassthrough:
    """One stream (an `AnswerStream`). The same bytes come out however the upstream's were cut, CRLF as LF."""

    def __init__(self, request: ChatRequest, source: Source) -> None:
        self.has_content = False
        self.fault: UpstreamError | None = None
        self.usage: Usage | None = None
        self.finish = ""
        self.carries: list[Carry] = []
        self._model, self._source = request.model, source
        self._frames = SseFrames()
        self._counts: Json = {}
        self._over = False
        self._readers: dict[str, Callable[[Json, bytes], bytes]] = {
            "message_start": self._start,
            "content_block_start": self._block_start,
            "content_block_delta": self._block_delta,
            "message_delta": self._message_delta,
            "message_stop": self._message_stop,
            "error": self._error,
        }

    def feed(self, data: bytes) -> bytes:
        """The client's bytes for these upstream bytes; the same object where they are whole and right."""
        whole = self._frames.take(data)
        if not whole or self._over:
            return b""
        if self.has_content and _holds_blocks_only(whole):
            return whole
        passed = _joined([self._pass(block.strip(b"\n")) for block in whole.split(b"\n\n")])
        return whole if passed == whole else passed

    def end(self) -> bytes:
        """The last event, and the end marker if the provider forgot it; an error if the answer broke off."""
        rest = self._frames.rest().strip(b"\n")
        passed = [self._pass(rest)]
        if not self._over:
            broken = self._fault("the stream ended in the middle of the answer.")
            passed.append(self._close() if self.finish else self._break(broken))
        return _joined(passed)

    def fail(self, error: UpstreamError) -> bytes:
        """The error event; b"" where the answer is over."""
        return b"" if self._over else _joined([self._break(error)])

    def _pass(self, block: bytes) -> bytes:
        """The event to send for this one, without its empty line; b"" for none."""
        if self._over or not block:
            return b""
        if self.has_content and block.startswith(_BLOCK):
            return block
        payload = _payload(block)
        if not payload or payload == b"[DONE]":  # comments; the end of OpenAI's streams, sent by imitators
            return b"" if payload else block
        try:
            event = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return self._break(self._fault("an event of the stream is not JSON."))
        if not isinstance(event, dict):
            return block
        kind = text_of(event.get("type")) or ("error" if "error" in event else "")
        read = self._readers.get(kind)
        return read(event, block) if read else block

    def _start(self, event: Json, block: bytes) -> bytes:
        if self.has_content:
            return self._break(self._fault("the answer began a second time in the same stream."))
        message = object_of(event.get("message"))
        self._counts = merged(self._counts, message.get("usage"))
        if not self._model or message.get("model") == self._model:
            return block
        renamed = {**event, "message": {**message, "model": self._model}}
        return b"event: message_start\ndata: " + encode_answer(renamed)

    def _block_start(self, event: Json, block: bytes) -> bytes:
        begun = object_of(event.get("content_block"))
        silent = begun.get("type") in _SILENT_BLOCKS and not any(begun.get(name) for name in _SPOKEN)
        self.has_content = self.has_content or not silent
        return block

    def _block_delta(self, event: Json, block: bytes) -> bytes:
        delta = object_of(event.get("delta"))
        self.has_content = self.has_content or any(delta.get(name) for name in _SPOKEN)
        return block

    def _message_delta(self, event: Json, block: bytes) -> bytes:
        self._counts = merged(self._counts, event.get("usage"))
        self.usage = usage_of(self._counts)
        reason = text_of(object_of(event.get("delta")).get("stop_reason"))
        self.finish = self.finish or reason
        self.has_content = self.has_content or bool(reason)
        return block

    def _message_stop(self, _event: Json, block: bytes) -> bytes:
        if not self.finish:  # its last count came without a reason: the message is over all the same
            self.finish, self.has_content = "end_turn", True
        self._over = True
        self.usage = usage_of(self._counts)
        return block

    def _error(self, event: Json, _block: bytes) -> bytes:
        error = error_in_answer(self._source, event)
        return self._break(error or self._fault("an error without a message."))

    def _close(self) -> bytes:
        self._message_stop({}, b"")
        return _MESSAGE_STOP

    def _break(self, error: UpstreamError) -> bytes:
        self.fault, self._over = error, True
        return stream_error(error)[:-2]

    def _fault(self, message: str) -> UpstreamError:
        return make_error(self._source, ErrorKind.BAD_RESPONSE, message, None)


def pass_message(source: Source, request: ChatRequest, body: bytes) -> WholeAnswer:
    """A whole answer for the client: the same bytes, but for a model's name that is not the one asked for."""
    message = read_message(source, body)
    if request.model and message.get("model") != request.model:
        body = encode_answer({**message, "model": request.model})
    usage = usage_of(object_of(message.get("usage")))
    return WholeAnswer(body, usage, text_of(message.get("stop_reason")))


def _holds_blocks_only(events: bytes) -> bool:
    if not events.startswith(_BLOCK) or b"\n\n\n" in events:
        return False
    return events.count(b"\n\n") == events.count(_NEXT_BLOCK) + 1


def _joined(blocks: list[bytes]) -> bytes:
    return b"".join([block + b"\n\n" for block in blocks if block])


def _payload(block: bytes) -> bytes:
    """The data of one event; b"" for comments. JSON that stands there bare (an error) counts as data."""
    lines = block.split(b"\n")
    data = [line[5:] for line in lines if line.startswith(b"data:")]
    if not data and block.lstrip().startswith((b"{", b"[")):
        data = lines
    return b"\n".join(data).strip()
