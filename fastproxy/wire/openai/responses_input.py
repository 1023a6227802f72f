"""The `input` of a Responses body as chat messages: neighbouring items of the model's become one turn.

Source: `openai` Python SDK 3.54, `types/responses/response_input_item.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastproxy.types import Json
from fastproxy.wire.openai.calls import make_call, parse_tool_calls
from fastproxy.wire.openai.carrier import unpack
from fastproxy.wire.openai.content import flatten, parse_parts
from fastproxy.wire.openai.faults import invalid, text_of, wrong_type
from fastproxy.wire.openai.history import History

_OTHERS = frozenset(("system", "developer", "user"))
_ELSEWHERE = ("_call", "_call_output", "_output", "_item", "_tools", "_update", "_trigger")
"""Items of tools that run at OpenAI's, and of its bookkeeping, end so; they mean nothing to another model."""


class ResponsesInput:
    """Reads items in their order."""

    def __init__(self) -> None:
        self.recalled: dict[tuple[str, str], Any] = {}
        """What reasoning items carried for us: (kind, tool-call id) -> value."""
        self.results: list[tuple[Json, list[Json]]] = []
        """All tools' answers, with their media."""
        self._history = History()
        self._turn: Json = {}

    def read(self, items: object) -> None:
        """Adds the items of an `input`. Raises ProxyError (400) naming the item."""
        if isinstance(items, str):
            self._history.say({"role": "user", "content": items})
            return
        if not isinstance(items, list):
            raise wrong_type("input", "a string or a list of items", items)
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                raise wrong_type(f"input[{index}]", "an object", item)
            self._read_item(item, f"input[{index}]")

    def instruct(self, text: str) -> None:
        """Adds the body's `instructions`."""
        self._history.say({"role": "system", "content": text})

    def messages(self) -> tuple[Json, ...]:
        """The messages so far, all calls answered."""
        self._end_turn()
        self._history.close_turn()
        return tuple(self._history.messages)

    def _read_item(self, item: Json, param: str) -> None:
        kind = item.get("type")
        if kind is None:
            kind = "message" if "role" in item else "item_reference"
        reader = _READERS.get(kind) if isinstance(kind, str) else None
        if reader is not None:
            reader(self, item, param)
        elif not (isinstance(kind, str) and (kind.endswith(_ELSEWHERE) or kind.startswith("mcp_"))):
            known = ", ".join(_READERS)
            raise invalid(f"{param}.type", f"`{param}.type` is not known. Use one of: {known}.")

    def read_message(self, item: Json, param: str) -> None:
        """A message, in the form of Responses or of chat."""
        role, content = item.get("role"), item.get("content")
        if role == "assistant":
            self._say(content, f"{param}.content")
            if item.get("tool_calls") is not None:
                self._calls += parse_tool_calls(
                    item["tool_calls"], f"call_{len(self._history.messages)}", f"{param}.tool_calls"
                )
            return
        if role == "tool":
            self._answer(item.get("tool_call_id"), f"{param}.tool_call_id", content, f"{param}.content")
            return
        if not isinstance(role, str) or role not in _OTHERS:
            place = f"{param}.role"
            raise invalid(place, f"`{place}` must be one of: system, developer, user, assistant.")
        self._end_turn()
        if not isinstance(content, str):
            content = parse_parts(content, f"{param}.content") or ""
        self._history.say({"role": role, "content": content})

    def read_reasoning(self, item: Json, _param: str) -> None:
        """Thoughts: what a provider wants back of them, and their text. They are never a fault."""
        self.recalled.update(unpack(item.get("encrypted_content")))
        texts = [
            part["text"]
            for name in ("summary", "content")
            for part in (item[name] if isinstance(item.get(name), list) else ())
            if isinstance(part, dict) and isinstance(part.get("text"), str)
        ]
        if texts:
            before = self._turn.get("reasoning_content")
            self._turn["reasoning_content"] = "\n\n".join(texts if before is None else (before, *texts))

    def read_call(self, item: Json, param: str) -> None:
        """A function's call."""
        self._call(item, item.get("arguments"), param)

    def read_custom_call(self, item: Json, param: str) -> None:
        """A custom tool's call: its text is an argument like others."""
        self._call(item, {"input": text_of(item.get("input"), f"{param}.input")}, param)

    def read_output(self, item: Json, param: str) -> None:
        """A tool's answer."""
        self._answer(item.get("call_id"), f"{param}.call_id", item.get("output"), f"{param}.output")

    def read_reference(self, _item: Json, param: str) -> None:
        """An item that OpenAI would have kept."""
        message = f"`{param}` refers to an item, and none are stored here: send the item itself."
        raise invalid(param, message)

    @property
    def _calls(self) -> list[Json]:
        calls: list[Json] = self._turn.setdefault("tool_calls", [])
        return calls

    @_calls.setter
    def _calls(self, calls: list[Json]) -> None:
        self._turn["tool_calls"] = calls

    def _say(self, content: object, param: str) -> None:
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else []
        if not isinstance(content, str) and content is not None:
            parts = parse_parts(content, param)
        self._turn.setdefault("content", []).extend(part for part in parts if part.get("text") != "")

    def _call(self, item: Json, arguments: object, param: str) -> None:
        call_id = text_of(item.get("call_id"), f"{param}.call_id")
        self._calls.append(make_call(call_id, item.get("name"), arguments, param))

    def _answer(self, call_id: object, id_param: str, output: object, param: str) -> None:
        self._end_turn()
        text, media = flatten(output, param)
        message = {"role": "tool", "tool_call_id": text_of(call_id, id_param), "content": text}
        self.results.append((message, media))
        self._history.answer(message, media)

    def _end_turn(self) -> None:
        """The model's items so far, as one message; thoughts alone are none."""
        turn, self._turn = self._turn, {}
        parts, calls = turn.get("content"), turn.get("tool_calls")
        if parts is None and not calls:
            return
        if not calls:
            turn.pop("tool_calls", None)
        plain = parts and all(part["type"] == "text" for part in parts)
        text = "".join(part["text"] for part in parts) if parts and plain else ""
        turn["content"] = text if plain else parts or (None if calls else "")
        self._history.say({"role": "assistant", **turn})
        self._history.expect(calls or [])


_READERS: dict[str, Callable[[ResponsesInput, Json, str], None]] = {
    "message": ResponsesInput.read_message,
    "reasoning": ResponsesInput.read_reasoning,
    "function_call": ResponsesInput.read_call,
    "function_call_output": ResponsesInput.read_output,
    "custom_tool_call": ResponsesInput.read_custom_call,
    "custom_tool_call_output": ResponsesInput.read_output,
    "item_reference": ResponsesInput.read_reference,
}
