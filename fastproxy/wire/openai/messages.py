"""Chat messages of every shape as OpenAI's, with the repairs that real clients' histories need.

After this, and nowhere later, it holds: each tool message answers a call of the assistant turn before it, and
each call is answered before anything else is said (a missing answer becomes "(no output)").
"""

from __future__ import annotations

from typing import Any

from fastproxy.types import Json
from fastproxy.wire.openai.calls import make_call, parse_tool_calls
from fastproxy.wire.openai.content import flatten, parse_parts
from fastproxy.wire.openai.faults import invalid, text_of, wrong_type

NO_OUTPUT = "(no output)"
_PLAIN = frozenset(("system", "developer", "user"))


def parse_messages(body: Json) -> tuple[Json, ...]:
    """The messages of a chat body, an Anthropic `system` of the body among them."""
    messages = body.get("messages")
    if messages is None and body.get("input") is not None:
        raise invalid(
            "messages", "This body has `input` (the Responses form). Send `messages` to this endpoint."
        )
    if not isinstance(messages, list):
        raise wrong_type("messages", "a list of messages", messages)
    if not messages:
        raise invalid("messages", "`messages` is empty: send at least one message.")
    history = _History()
    if (system := body.get("system")) is not None:
        content = system if isinstance(system, str) else parse_parts(system, "system")
        history.say({"role": "system", "content": content})
    for index, message in enumerate(messages):
        _read(history, message, index)
    history.close_turn()
    return tuple(history.messages)


def _read(history: _History, message: Any, index: int) -> None:
    if not isinstance(message, dict):
        raise wrong_type(f"messages[{index}]", "an object with `role` and `content`", message)
    role = message.get("role")
    if isinstance(role, str):
        if role in _PLAIN:
            return _read_plain(history, message, index)
        if role == "assistant":
            return _read_assistant(history, message, index)
        if role in ("tool", "function"):
            return _read_tool(history, message, index)
    param = f"messages[{index}].role"
    raise invalid(param, f"`{param}` must be one of: system, developer, user, assistant, tool.")


def _read_plain(history: _History, message: Json, index: int) -> None:
    content = message.get("content")
    if isinstance(content, str):
        return history.say(message)
    param = f"messages[{index}].content"
    if not isinstance(content, list):
        raise wrong_type(param, "a string or a list of content parts", content)
    results, rest = _take_blocks(content, "tool_result")
    for at, block in results:
        _take_result(history, block, f"{param}[{at}]")
    if rest or not results:
        history.say({**message, "content": parse_parts(rest, param) or ""})
    return None


def _take_blocks(content: list[Any], kind: str) -> tuple[list[tuple[int, Json]], list[Any]]:
    """(Anthropic blocks of this kind with their places, all other parts)."""
    found = [
        (at, part) for at, part in enumerate(content) if isinstance(part, dict) and part.get("type") == kind
    ]
    if not found:
        return found, content
    return found, [part for part in content if not (isinstance(part, dict) and part.get("type") == kind)]


def _take_result(history: _History, block: Json, param: str) -> None:
    call_id = text_of(block.get("tool_use_id"), f"{param}.tool_use_id")
    text, media = flatten(block.get("content"), f"{param}.content")
    history.answer({"role": "tool", "tool_call_id": call_id, "content": text}, media)


def _read_assistant(history: _History, message: Json, index: int) -> None:
    param = f"messages[{index}]"
    fixed = {key: value for key, value in message.items() if value is not None}
    calls: list[Json] = []
    if fixed.get("tool_calls") is not None:
        calls = parse_tool_calls(fixed.pop("tool_calls"), f"call_{index}", f"{param}.tool_calls")
    content = fixed.get("content")
    if isinstance(content, list):
        fixed["content"] = _read_blocks(content, fixed, calls, param)
    elif content is not None and not isinstance(content, str):
        raise wrong_type(f"{param}.content", "a string, a list of content parts or null", content)
    if (legacy := fixed.pop("function_call", None)) is not None:
        if not isinstance(legacy, dict):
            raise wrong_type(f"{param}.function_call", "an object", legacy)
        pieces = (legacy.get("name"), legacy.get("arguments"))
        calls.append(make_call(f"call_{index}_{len(calls)}", *pieces, f"{param}.function_call"))
    if calls:
        fixed["tool_calls"] = calls
    fixed["content"] = fixed.get("content") or (None if calls else "")
    history.say(fixed)
    history.expect(calls)


def _read_blocks(content: list[Any], message: Json, calls: list[Json], param: str) -> list[Json]:
    """An assistant's content without Anthropic's blocks, which go where OpenAI keeps them."""
    uses, rest = _take_blocks(content, "tool_use")
    for at, block in uses:
        place = f"{param}.content[{at}]"
        call_id = text_of(block.get("id"), f"{place}.id")
        calls.append(make_call(call_id, block.get("name"), block.get("input"), place))
    thoughts, rest = _take_blocks(rest, "thinking")
    if thoughts:
        texts = [block["thinking"] for _at, block in thoughts if isinstance(block.get("thinking"), str)]
        message.setdefault("reasoning_content", "\n".join(texts))
    _hidden, rest = _take_blocks(rest, "redacted_thinking")
    return parse_parts(rest, f"{param}.content")


def _read_tool(history: _History, message: Json, index: int) -> None:
    param = f"messages[{index}]"
    call_id = message.get("tool_call_id")
    if call_id is None:
        call_id = history.call_for(message.get("name"))
        if call_id is None:
            raise invalid(
                f"{param}.tool_call_id", f"`{param}.tool_call_id` is missing: send the call's `id`."
            )
    text_of(call_id, f"{param}.tool_call_id")
    content = message.get("content")
    text, media = flatten(content, f"{param}.content")
    if text is content and message["role"] == "tool" and "tool_call_id" in message:
        history.answer(message, media)
    else:
        history.answer({**message, "role": "tool", "tool_call_id": call_id, "content": text}, media)


class _History:
    """The messages so far, and which calls of the last assistant turn still wait for their answers."""

    def __init__(self) -> None:
        self.messages: list[Json] = []
        self._open: dict[str, str] = {}
        self._stubs: dict[str, int] = {}
        self._media: list[Json] = []

    def say(self, message: Json) -> None:
        """Add a message that is no tool's answer."""
        if self._open or self._media:
            self.close_turn()
        self.messages.append(message)

    def expect(self, calls: list[Json]) -> None:
        """These calls must be answered next."""
        self._open = {call["id"]: call["function"]["name"] for call in calls}

    def call_for(self, name: object) -> str | None:
        """The first waiting call of this name, else the first waiting call."""
        for call_id, waiting in self._open.items():
            if waiting == name:
                return call_id
        return next(iter(self._open), None)

    def answer(self, message: Json, media: list[Json]) -> None:
        """Add a tool's answer; one that comes late takes the place kept for it; one to no call is dropped.
        Its images go into a user message after the turn: tool messages are text at most providers."""
        call_id = message["tool_call_id"]
        if self._open.pop(call_id, None) is not None:
            self.messages.append(message)
            self._media += media
        elif (place := self._stubs.pop(call_id, None)) is not None:
            self.messages[place] = message

    def close_turn(self) -> None:
        """Answer what was left unanswered, then show what the tools' answers held beside text."""
        for call_id in self._open:
            self._stubs[call_id] = len(self.messages)
            self.messages.append({"role": "tool", "tool_call_id": call_id, "content": NO_OUTPUT})
        self._open = {}
        if self._media:
            self.messages.append({"role": "user", "content": self._media})
            self._media = []
