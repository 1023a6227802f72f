"""Events as Anthropic's stream: blocks one after the other, each opened, grown and closed.

Law: one block is open at a time, and their index only grows. A call whose arguments are not whole yet keeps
what follows it waiting, since a closed block cannot be opened again.
Source: Anthropic's "Streaming messages"; SDK types RawMessageStreamEvent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from fastproxy.errors import UpstreamError
from fastproxy.types import Json
from fastproxy.wire.answer import Head
from fastproxy.wire.anthropic.envelope import stream_error
from fastproxy.wire.anthropic.message import (
    SIGNATURE,
    empty_message,
    picture,
    stop_reason,
    usage_json,
)
from fastproxy.wire.events import (
    Annotations,
    Carry,
    Delta,
    Event,
    Fault,
    Finish,
    Image,
    Reasoning,
    Refusal,
    ToolDelta,
    Usage,
)

_DELTAS = {
    "text": b'"delta":{"type":"text_delta","text":',
    "thinking": b'"delta":{"type":"thinking_delta","thinking":',
    "tool_use": b'"delta":{"type":"input_json_delta","partial_json":',
}
_HEADS: dict[str, Json] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


@dataclass(slots=True)
class _Block:
    """A block, from when the model begins it until it is closed."""

    kind: str
    head: Json
    """`content_block` of its start."""
    index: int = -1
    """Its place; -1 until it is opened."""
    waiting: list[str] = field(default_factory=list)
    """Pieces that were not sent yet."""
    arguments: list[str] = field(default_factory=list)
    """A call's pieces so far."""
    closed: bool = False

    def is_whole(self) -> bool:
        """Nothing more belongs to it, now that another one has begun."""
        if self.kind != "tool_use":
            return True
        try:
            orjson.loads("".join(self.arguments))
        except orjson.JSONDecodeError:
            return False
        return True


class MessagesRenderer:
    """Renders the events of one answer. One object a stream."""

    def __init__(self, head: Head) -> None:
        self._start = _event("message_start", message=empty_message(head))
        self._begun = False
        self._failed = False
        self._blocks: list[_Block] = []
        """What is not closed: the first is open, the others wait for their turn."""
        self._calls: dict[int, _Block] = {}
        self._opened = 0
        self._finish = "stop"
        self._refused = False
        self._usage: Usage | None = None

    def render(self, events: Sequence[Event]) -> bytes:
        """The events' bytes; b"" where they show nothing."""
        out: list[bytes] = []
        for event in events:
            self._take(event, out)
        return b"".join(out)

    def end(self) -> bytes:
        """Why the answer ended, its usage, and the end marker; b"" after a Fault."""
        if self._failed:
            return b""
        out: list[bytes] = []
        self._begin(out)
        self._close_all(out)
        delta = {"stop_reason": stop_reason(self._finish, self._refused), "stop_sequence": None}
        return b"".join((*out, _event("message_delta", delta=delta, usage=usage_json(self._usage)), _STOP))

    def _take(self, event: Event, out: list[bytes]) -> None:
        if self._failed:
            return
        match event:
            case Fault():
                self._fail(event.error, out)
            case Usage():
                self._usage = event
            case Carry() | Annotations():
                pass  # kept elsewhere; our citations have no form in Messages
            case _ if event.choice:
                pass  # a Messages answer is one
            case Delta():
                self._say("text", event.text, out)
            case Reasoning():
                self._say("thinking", event.text, out)
            case ToolDelta():
                self._call(event, out)
            case Refusal():
                self._refused = True
                self._say("text", event.text, out)
            case Image():
                self._say("text", picture(event.url), out)
            case Finish():
                self._finish = event.reason
                self._close_all(out)

    def _fail(self, error: UpstreamError, out: list[bytes]) -> None:
        self._failed = True
        out.append(stream_error(error))

    def _say(self, kind: str, text: str, out: list[bytes]) -> None:
        if not text:
            return
        last = self._blocks[-1] if self._blocks else None
        if last is None or last.kind != kind:
            last = _Block(kind, _HEADS[kind])
            self._blocks.append(last)
        last.waiting.append(text)
        self._flow(out)

    def _call(self, event: ToolDelta, out: list[bytes]) -> None:
        block = self._calls.get(event.index)
        if block is None:
            head = {"type": "tool_use", "id": event.id or "", "name": event.name or "", "input": {}}
            block = self._calls[event.index] = _Block("tool_use", head)
            self._blocks.append(block)
        if event.arguments and not block.closed:
            block.waiting.append(event.arguments)
            block.arguments.append(event.arguments)
        self._flow(out)

    def _flow(self, out: list[bytes]) -> None:
        """Sends what may go: all of the open block, and of the next ones as far as those before are whole."""
        while self._blocks:
            block = self._blocks[0]
            self._send(block, out)
            if len(self._blocks) == 1 or not block.is_whole():
                return
            self._close(block, out)

    def _close_all(self, out: list[bytes]) -> None:
        while self._blocks:
            self._send(self._blocks[0], out)
            self._close(self._blocks[0], out)

    def _begin(self, out: list[bytes]) -> None:
        if not self._begun:
            self._begun = True
            out.append(self._start)

    def _send(self, block: _Block, out: list[bytes]) -> None:
        if block.index < 0:
            self._begin(out)
            block.index, self._opened = self._opened, self._opened + 1
            out.append(_event("content_block_start", index=block.index, content_block=block.head))
        out += [_delta(block, piece) for piece in block.waiting]
        block.waiting.clear()

    def _close(self, block: _Block, out: list[bytes]) -> None:
        if block.kind == "thinking":
            signed = {"type": "signature_delta", "signature": SIGNATURE}
            out.append(_event("content_block_delta", index=block.index, delta=signed))
        out.append(_event("content_block_stop", index=block.index))
        block.closed = True
        self._blocks.remove(block)


def _delta(block: _Block, piece: str) -> bytes:
    # nearly all events of a stream are these: only the piece itself needs an encoder
    return b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,%b%b}}\n\n' % (
        block.index,
        _DELTAS[block.kind],
        orjson.dumps(piece),
    )


def _event(kind: str, **fields: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields}))
