"""The content blocks of one answer, as they open, grow and close: the same for a stream and a whole body.

Rules: only text, thinking and client tools reach the client; server tools (web search, code execution) and
blocks not yet invented are passed over. A tool's index counts tools, not blocks.
Source: Anthropic's "Streaming messages"; SDK types RawContentBlock*Event.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.anthropic.answer_format import is_answer
from fastproxy.wire.anthropic.thinking import CARRY
from fastproxy.wire.anthropic.tools import wire_names
from fastproxy.wire.anthropic.values import object_of, text_of
from fastproxy.wire.events import Annotations, Carry, Delta, Event, Reasoning, ToolDelta


@dataclass(slots=True)
class _Open:
    """A block that has begun."""

    kind: str
    tool: int = -1
    """The tool's index; -1 where the arguments are the answer's text, or the block is no tool."""
    input: Json = field(default_factory=dict)
    has_input: bool = False
    begin: int = 0
    """Where the block's text begins in the answer's text, for its citations."""
    citations: list[Json] = field(default_factory=list)
    thought: Json = field(default_factory=dict)


class Blocks:
    """Turns blocks and their deltas into events. One object an answer."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._client_names = {ours: theirs for theirs, ours in wire_names(request.tools).items()}
        self._open: dict[object, _Open] = {}
        self._thoughts: list[Json] = []
        self._text_length = 0
        self.tools = 0
        """How many client tools were called."""
        self._first_call = ""

    def start(self, index: object, block: Json, events: list[Event]) -> None:
        """A block begins; a whole body's block is already full."""
        self.stop(index, events)  # only where the upstream forgot to
        kind = text_of(block.get("type"))
        opened = self._open[index] = _Open(kind, begin=self._text_length)
        if kind == "text":
            self.text(block.get("text"), events)
            cited = block.get("citations")
            opened.citations += map(object_of, cited if isinstance(cited, list) else ())
        elif kind == "tool_use":
            self._start_tool(opened, block, events)
        elif kind in ("thinking", "redacted_thinking"):
            opened.thought = dict(block)
            self._reason(block.get("thinking"), events)

    def text(self, text: object, events: list[Event]) -> None:
        """A piece of the answer's text."""
        if isinstance(text, str) and text:
            self._text_length += len(text)
            events.append(Delta(text))

    def delta(self, index: object, delta: Json, events: list[Event]) -> None:
        """A block grows. Deltas of a kind that does not fit the block are passed over."""
        kind = delta.get("type")
        if kind == "text_delta":
            self.text(delta.get("text"), events)
            return
        opened = self._open.get(index)
        if opened is None:
            return
        if kind == "input_json_delta":
            self._grow_tool(opened, text_of(delta.get("partial_json")), events)
        elif kind == "thinking_delta":
            self._grow_thought(opened, "thinking", delta.get("thinking"))
            self._reason(delta.get("thinking"), events)
        elif kind == "signature_delta":
            self._grow_thought(opened, "signature", delta.get("signature"))
        elif kind == "citations_delta":
            opened.citations.append(object_of(delta.get("citation")))

    def stop(self, index: object, events: list[Event]) -> None:
        """A block ends."""
        opened = self._open.pop(index, None)
        if opened is None:
            return
        if opened.kind == "tool_use" and not opened.has_input:
            self._grow_tool(opened, orjson.dumps(opened.input).decode(), events)
        if opened.thought:
            self._thoughts.append(opened.thought)
        self._cite(opened, events)

    def finish(self, events: list[Event]) -> None:
        """The answer ends: close what is open, and hand over the thoughts that must come back."""
        for index in list(self._open):
            self.stop(index, events)
        if self.tools and self._thoughts:
            events.append(Carry(CARRY, self._first_call, self._thoughts))

    def any_open_or_said(self) -> bool:
        """Something of the answer has already gone out."""
        return bool(self._open or self._text_length or self.tools or self._thoughts)

    def _start_tool(self, opened: _Open, block: Json, events: list[Event]) -> None:
        opened.input = object_of(block.get("input"))
        if is_answer(self._request, block.get("name")):
            return
        call_id, name = text_of(block.get("id")), text_of(block.get("name"))
        opened.tool = self.tools
        self._first_call = self._first_call or call_id
        self.tools += 1
        events.append(ToolDelta(opened.tool, id=call_id, name=self._client_names.get(name, name)))

    def _grow_tool(self, opened: _Open, piece: str, events: list[Event]) -> None:
        if opened.kind != "tool_use" or not piece:
            return
        opened.has_input = True
        if opened.tool < 0:
            self.text(piece, events)
        else:
            events.append(ToolDelta(opened.tool, piece))

    def _grow_thought(self, opened: _Open, key: str, piece: object) -> None:
        if opened.thought:
            opened.thought[key] = text_of(opened.thought.get(key)) + text_of(piece)

    def _reason(self, text: object, events: list[Event]) -> None:
        if isinstance(text, str) and text:
            events.append(Reasoning(text))

    def _cite(self, opened: _Open, events: list[Event]) -> None:
        span = {"start_index": opened.begin, "end_index": self._text_length}
        cited = [
            {"url": citation["url"], "title": text_of(citation.get("title")) or citation["url"], **span}
            for citation in opened.citations
            if text_of(citation.get("url"))
        ]
        if cited:
            items = tuple({"type": "url_citation", "url_citation": item} for item in cited)
            events.append(Annotations(items))
