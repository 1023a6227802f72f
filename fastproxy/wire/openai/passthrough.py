"""OpenAI-format streams on their way through: bytes untouched wherever nothing has to be changed.

A chunk is decoded until the first content has come, and then only if its bytes say so: usage, a finish, an
error, thoughts or calls that must be remembered, or a beginning unlike the first chunk's (another `id` or
`created`). JSON escapes quotes inside strings, so `"usage":{` in the bytes is always a key, never a text.
"""

from __future__ import annotations

import secrets

import orjson

from fastproxy.errors import UpstreamError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.events import Carry, Usage
from fastproxy.wire.openai.chat_render import render_error
from fastproxy.wire.openai.chunks import decode_chunk, finish_reason, full_usage, has_content, usage_of
from fastproxy.wire.openai.errors import bad_response
from fastproxy.wire.openai.reasoning import ReasoningKeeper
from fastproxy.wire.sse import SseFrames

_DONE = b"data: [DONE]"
_EVERYTHING: tuple[bytes, ...] = (b"",)


class ChatPassthrough:
    """One stream (an `AnswerStream`). The same bytes come out however the upstream's were cut, CRLF as LF.

    What is returned before `has_content` is to be held back, so that a fault can still be retried.
    """

    def __init__(self, request: ChatRequest) -> None:
        self.has_content = False
        self.fault: UpstreamError | None = None
        self.usage: Usage | None = None
        self.finish = ""
        self.carries: list[Carry] = []
        self._request = request
        self._frames = SseFrames()
        self._keeper = ReasoningKeeper(request)
        self._identity: Json = {}
        self._usage_json: Json | None = None
        self._called = False
        self._finished: set[int] = set()
        self._begun: set[int] = set()
        self._over = False
        # The first chunk's bytes up to the model's name, those to put there, and what to look for behind.
        self._head = self._new_head = b""
        self._needles = _EVERYTHING

    def feed(self, data: bytes) -> bytes:
        """The client's bytes for these upstream bytes; the same object where they are whole and right."""
        if data.endswith(b"}\n\n") and data.find(b"\n") == len(data) - 2 and self._frames.at_seam:
            # nearly always a piece is one whole event
            return self._renamed(data) if self._may_pass(data) else self._feed_one(data)
        whole = self._frames.take(data)
        if not whole or self._over:
            return b""
        blocks = whole.split(b"\n\n")
        passed = [self._pass(block) for block in blocks]
        if passed == blocks:
            return whole
        return b"".join([block + b"\n\n" for block in passed if block])

    def _feed_one(self, event: bytes) -> bytes:
        block = event[:-2]
        passed = self._look(block)
        return event if passed == block else passed and passed + b"\n\n"

    def end(self) -> bytes:
        """The last event, and the end marker if the provider forgot it; an error if the answer broke off."""
        rest = self._frames.rest()
        passed = [self._pass(rest) if rest else b"", b"" if self._over else self._close()]
        return b"".join([block + b"\n\n" for block in passed if block])

    def fail(self, error: UpstreamError) -> bytes:
        """The error event; b"" where the answer is over."""
        return b"" if self._over else self._break(error) + b"\n\n"

    def _pass(self, block: bytes) -> bytes:
        """The event to send for this one, without its empty line; b"" for none."""
        if self._may_pass(block) and b"\n" not in block:
            return self._renamed(block)
        return self._look(block)

    def _may_pass(self, event: bytes) -> bool:
        """Whether the event begins like the first one and holds nothing to look at."""
        head = self._head
        if not head or not event.startswith(head):
            return False
        for needle in self._needles:  # noqa: SIM110  (a generator costs more than the search)
            if needle in event:
                return False
        return True

    def _renamed(self, event: bytes) -> bytes:
        return self._new_head + event[len(self._head) :] if self._new_head else event

    def _look(self, block: bytes) -> bytes:
        """The event to send for one that must be decoded."""
        if self._over or not block:
            return b""
        if not block.startswith(b"data: ") or b"\n" in block:
            # Comments and padding around the data must not decide which way it goes.
            payload = _payload(block)
            return self._pass(b"data: " + payload) if payload else b""
        payload = block[6:]
        if payload.strip() == b"[DONE]":
            return self._close()
        try:
            return self._settle(decode_chunk(payload), block)
        except UpstreamError as error:
            return self._break(error)

    def _settle(self, chunk: Json, line: bytes) -> bytes:
        """The chunk as it must be sent: `line` itself where nothing was wrong."""
        changed = self._take_usage(chunk)
        choices = chunk["choices"]
        if not choices:
            return b""
        if not self._identity:
            self._learn(chunk, line)
        state = (self.has_content, self._called, self._keeper.heard)
        for choice in choices:
            changed |= self._settle_choice(choice)
        if state != (self.has_content, self._called, self._keeper.heard):
            self._arm()
        if not changed and self._head and line.startswith(self._head):
            return self._renamed(line)
        for name, value in self._identity.items():
            if chunk.get(name) != value:
                chunk[name] = value
                changed = True
        return b"data: " + encode_answer(chunk) if changed else line

    def _take_usage(self, chunk: Json) -> bool:
        """Keeps the usage for the end; True where it was taken out of the chunk."""
        usage = chunk.get("usage")
        if not isinstance(usage, dict):
            return False
        self._usage_json = full_usage(usage)
        self.usage = usage_of(usage)
        chunk["usage"] = None
        return True

    def _settle_choice(self, choice: Json) -> bool:
        """Puts one choice right in its place; True where something was changed."""
        delta, index, changed = choice.get("delta"), choice.get("index"), False
        if type(index) is not int:
            index = choice["index"] = 0
            changed = True
        if not isinstance(delta, dict):
            delta = choice["delta"] = {}
            changed = True
        if not self.has_content and index not in self._begun:
            self._begun.add(index)
            if "role" not in delta:
                delta["role"] = "assistant"
                changed = True
        self._called |= bool(delta.get("tool_calls"))
        if index == 0:
            self.carries += self._keeper.add(delta)
        native = choice.get("finish_reason")
        if native is not None:
            changed |= self._settle_finish(choice, native, index)
        self.has_content = self.has_content or bool(native) or has_content(delta)
        return changed

    def _settle_finish(self, choice: Json, native: object, index: int) -> bool:
        reason = finish_reason(native, self._called) if isinstance(native, str) and native else None
        if index in self._finished:
            reason = None
        if reason is not None:
            self._finished.add(index)
            self.finish = str(native)
        choice["finish_reason"] = reason
        return reason != native

    def _learn(self, chunk: Json, line: bytes) -> None:
        """What all chunks must say, from the first; and the bytes that say so, where they stand in front."""
        given = {name: chunk.get(name) for name in ("id", "created", "model")}
        self._identity = {
            "id": given["id"] if isinstance(given["id"], str) and given["id"] else made_id(),
            "object": "chat.completion.chunk",
            "created": given["created"] if type(given["created"]) is int else 0,
            "model": self._request.model or str(given["model"] or ""),
        }
        right = {**self._identity, "model": given["model"]}
        if any(chunk.get(name) != value for name, value in right.items()):
            return
        model = encode_answer(given["model"])
        for space in (b"", b" "):
            front, found, _after = line.partition(b'"model":' + space + model)
            if found and b'"choices"' not in front:
                self._head = front + found
                wanted = front + b'"model":' + space + encode_answer(self._identity["model"])
                self._new_head = wanted if wanted != self._head else b""

    def _arm(self) -> None:
        """What later chunks are searched for; before the first content every chunk is decoded."""
        if not self.has_content:
            return
        space = b" " if b'": ' in self._head else b""
        needles = [b'"finish_reason":' + space + b'"', b'"usage":' + space + b"{", b'"error":']
        if self._keeper.active:
            needles.append(b'"reasoning_content":' + space + b'"')
        if self._keeper.heard or (self._request.tools and not self._called):
            needles.append(b'"tool_calls":' + space + b"[")
        self._needles = tuple(needles)

    def _close(self) -> bytes:
        """The end of the answer: what is to be remembered, the usage if asked for, and the end marker."""
        if not self._finished:
            return self._break(bad_response("the stream ended before the answer was finished."))
        self._over, self._needles = True, _EVERYTHING
        self.carries += self._keeper.end()
        if self._usage_json is None or not self._request.include_usage:
            return _DONE
        last = {**self._identity, "choices": [], "usage": self._usage_json}
        return b"data: " + encode_answer(last) + b"\n\n" + _DONE

    def _break(self, error: UpstreamError) -> bytes:
        self.fault = error
        self._over, self._needles = True, _EVERYTHING
        return b"data: " + render_error(error)


def _payload(block: bytes) -> bytes:
    """The data of one event; b"" for comments. JSON that stands there bare (an error) counts as data."""
    lines = block.split(b"\n")
    data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
    if not data and block.lstrip().startswith((b"{", b"[")):
        data = lines
    # A newline in JSON text is white space between its parts.
    return b" ".join(data).strip()


def made_id(prefix: str = "chatcmpl-") -> str:
    """An id for an answer, or with another prefix for a call, that came without one."""
    return f"{prefix}{secrets.token_hex(12)}"


def encode_answer(value: object) -> bytes:
    """JSON bytes of what a provider said; raises UpstreamError where it is nested past the encoder."""
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise bad_response("it is nested too deeply.") from error
