"""Chat messages of every shape as OpenAI's, put together as a `History`, which holds its law from then on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastproxy.types import Json
from fastproxy.wire.openai.calls import make_call, parse_tool_calls
from fastproxy.wire.openai.content import flatten, parse_parts
from fastproxy.wire.openai.faults import invalid, text_of, wrong_type
from fastproxy.wire.openai.history import History

_PLAIN = frozenset(("system", "developer", "user"))


def parse_messages(body: Json, results: Sequence[tuple[Json, list[Json]]] = ()) -> tuple[Json, ...]:
    """The messages of a chat body, an Anthropic `system` of the body among them.

    `results` are tools' answers (and their media) that stand elsewhere in the body: each goes to its call,
    unless that is answered already.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise wrong_type("messages", "a list of messages", messages)
    if not messages:
        raise invalid("messages", "`messages` is empty: send at least one message.")
    history = History()
    if (system := body.get("system")) is not None:
        content = system if isinstance(system, str) else parse_parts(system, "system")
        history.say({"role": "system", "content": content})
    for index, message in enumerate(messages):
        _read(history, message, index)
    for answer, media in results:
        history.answer(answer, media)
    history.close_turn()
    return tuple(history.messages)


def _read(history: History, message: Any, index: int) -> None:
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


def _read_plain(history: History, message: Json, index: int) -> None:
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


def _take_result(history: History, block: Json, param: str) -> None:
    call_id = text_of(block.get("tool_use_id"), f"{param}.tool_use_id")
    text, media = flatten(block.get("content"), f"{param}.content")
    history.answer({"role": "tool", "tool_call_id": call_id, "content": text}, media)


def _read_assistant(history: History, message: Json, index: int) -> None:
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


def _read_tool(history: History, message: Json, index: int) -> None:
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
