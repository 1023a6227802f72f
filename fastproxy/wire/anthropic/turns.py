"""The conversation as Anthropic demands it, out of any order of OpenAI messages.

Rule 1: turns alternate, beginning and ending with the user.
Rule 2: an assistant turn is thinking, then text, then tool_use; the user turn after it begins with exactly
        one tool_result for each tool_use, in the order of the calls.
Rule 3: no text is empty, no tool id comes twice, every id is `^[a-zA-Z0-9_-]+$`.
Source: Anthropic's Messages reference and "How to implement tool use".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile

import orjson

from fastproxy.types import Json
from fastproxy.wire.anthropic.content import text_block, text_blocks, user_blocks, with_cache_control
from fastproxy.wire.anthropic.tools import legal, unique
from fastproxy.wire.anthropic.values import invalid, object_of, text_of

NO_OUTPUT = "(no output)"
_BLANK_USER = "..."
_GO_ON = "Continue."
_SYSTEM_ROLES = ("system", "developer")
_MAX_ID = 256

Thoughts = Callable[[Json], list[Json]]


@dataclass(slots=True)
class Conversation:
    """`system` and `messages` of the body, and the names of the tools that were called."""

    system: list[Json] = field(default_factory=list)
    messages: list[Json] = field(default_factory=list)
    called: dict[str, None] = field(default_factory=dict)

    def without_thoughts(self) -> list[Json]:
        """The messages without their thinking blocks."""
        return [{**message, "content": _spoken(message["content"])} for message in self.messages]

    def loop_is_signed(self) -> bool:
        """A running tool loop begins with a thought, or no loop is running."""
        loop = list(takewhile(_is_in_loop, reversed(self.messages)))
        return not loop or loop[-1]["content"][0]["type"] in _THOUGHTS


_THOUGHTS = ("thinking", "redacted_thinking")


def conversation(messages: tuple[Json, ...], names: dict[str, str], thoughts: Thoughts) -> Conversation:
    """The whole conversation. Raises ProxyError where there is nothing to answer."""
    builder = _Builder(names, thoughts)
    for index, message in enumerate(messages):
        builder.add(message, f"messages[{index}]")
    return builder.finish()


class _Builder:
    """Gathers one assistant turn and the user turn after it, and puts both down when the next one begins."""

    def __init__(self, names: dict[str, str], thoughts: Thoughts) -> None:
        self._names = names
        self._thoughts = thoughts
        self._ids: set[str] = set()
        self._built = Conversation()
        self._begin_turns()

    def _begin_turns(self) -> None:
        self._spoken: list[Json] = []
        self._calls: list[Json] = []
        self._client_ids: list[str] = []
        """The client's own id of each of `_calls`."""
        self._results: dict[str, Json] = {}
        self._user: list[Json] = []
        self._user_came = False

    def add(self, message: Json, where: str) -> None:
        role = message.get("role")
        if role in _SYSTEM_ROLES:
            self._built.system += _marked(text_blocks(message.get("content")), message)
        elif role == "user":
            self._user += _marked(user_blocks(message.get("content"), where), message)
            self._user_came = True
        elif role == "assistant":
            self._add_assistant(message)
        elif role == "tool":
            self._add_result(message, where)
        else:
            invalid(f"`{where}.role` must be system, developer, user, assistant or tool.", f"{where}.role")

    def finish(self) -> Conversation:
        built = self._built
        if not (self._spoken or self._calls or self._user_came or built.messages):
            if not built.system:
                invalid("`messages` holds nothing to answer.", "messages")
            self._user, built.system, self._user_came = built.system, [], True
        self._close_turns()
        if built.messages[-1]["role"] == "assistant":
            built.messages.append(_turn("user", [text_block(_GO_ON)]))
        return built

    def _add_assistant(self, message: Json) -> None:
        spoken = text_blocks(message.get("content")) or text_blocks(message.get("refusal"))
        calls = [object_of(call) for call in _list(message.get("tool_calls"))]
        if not spoken and not calls:
            return
        if self._user_came or self._results:
            self._close_turns()
        blocks = _marked([*spoken, *map(self._call, calls)], message)
        self._spoken += [*self._thoughts(message), *blocks[: len(spoken)]]
        self._calls += blocks[len(spoken) :]
        self._client_ids += [text_of(call.get("id")) for call in calls]

    def _call(self, call: Json) -> Json:
        function = object_of(call.get("function"))
        client_name = text_of(function.get("name"))
        name = self._names.get(client_name) or legal(client_name)
        self._built.called[name] = None
        wire_id = unique(legal(text_of(call.get("id")), "call")[:_MAX_ID], self._ids, _MAX_ID)
        return {
            "type": "tool_use",
            "id": wire_id,
            "name": name,
            "input": call_input(function.get("arguments")),
        }

    def _add_result(self, message: Json, where: str) -> None:
        client_id = text_of(message.get("tool_call_id"))
        for call, its_client_id in zip(self._calls, self._client_ids, strict=True):
            if its_client_id == client_id and call["id"] not in self._results:
                self._results[call["id"]] = _result(message, call["id"], where)
                return
        # No call waits for it: Anthropic refuses orphans, so it is left out.

    def _close_turns(self) -> None:
        messages = self._built.messages
        if self._spoken or self._calls:
            if not messages:
                messages.append(_turn("user", [text_block(_GO_ON)]))
            messages.append(_turn("assistant", [*self._spoken, *self._calls]))
        results = [self._results.get(call["id"]) or _stub(call["id"]) for call in self._calls]
        if results or self._user_came:
            messages.append(_turn("user", [*results, *self._user] or [text_block(_BLANK_USER)]))
        self._begin_turns()


def call_input(arguments: object) -> Json:
    """A call's arguments as the object Anthropic wants; what is no JSON object goes under "input"."""
    if isinstance(arguments, dict):
        return arguments
    text = text_of(arguments)
    if not text.strip():
        return {}
    try:
        parsed: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        parsed = text
    if parsed is None:
        return {}
    return parsed if isinstance(parsed, dict) else {"input": parsed}


def _result(message: Json, wire_id: str, where: str) -> Json:
    blocks = user_blocks(message.get("content"), where)
    content: object = blocks or NO_OUTPUT
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        content = blocks[0]["text"]
    result: Json = {"type": "tool_result", "tool_use_id": wire_id, "content": content}
    if message.get("is_error") is True:
        result["is_error"] = True
    return with_cache_control(result, message)


def _stub(wire_id: str) -> Json:
    return {"type": "tool_result", "tool_use_id": wire_id, "content": NO_OUTPUT}


def _marked(blocks: list[Json], message: Json) -> list[Json]:
    """The blocks, the last one with the message's own `cache_control`."""
    return [*blocks[:-1], with_cache_control(blocks[-1], message)] if blocks else blocks


def _is_in_loop(message: Json) -> bool:
    first: Json = message["content"][0]
    return text_of(message["role"]) == "assistant" or text_of(first["type"]) == "tool_result"


def _turn(role: str, content: list[Json]) -> Json:
    return {"role": role, "content": content}


def _spoken(content: list[Json]) -> list[Json]:
    return [block for block in content if block["type"] not in _THOUGHTS]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
