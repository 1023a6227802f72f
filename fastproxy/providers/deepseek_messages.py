"""Chat messages as DeepSeek takes them: text only, and thoughts given back where it demands them.

While it thinks, every assistant turn of a tool loop (from the first call to the answer that ends it) must
carry `reasoning_content` in all later requests, be it empty. Elsewhere it is ignored, so it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.openai.calls import encode
from fastproxy.wire.openai.faults import invalid
from fastproxy.wire.openai.reasoning import AFTER_CALL, OF_CALL

_KEPT = ("name", "tool_calls", "tool_call_id", "prefix")
_FIT_SCHEMA = "Answer with one JSON object that fits this JSON schema, and nothing else:\n"
_ANY_OBJECT = "Answer with one JSON object, and nothing else."


def build_messages(request: ChatRequest, thinking: bool) -> list[Json]:
    """The messages; thoughts are the client's own, else the remembered ones, else empty."""
    made: list[Json] = []
    last_call: str | None = None  # of the tool loop that this message is in
    for index, message in enumerate(request.messages):
        role = message["role"]
        built: Json = {
            "role": "system" if role == "developer" else role,
            "content": _text(message["content"], f"messages[{index}].content"),
        }
        for name in _KEPT:
            if message.get(name) is not None:
                built[name] = message[name]
        if role == "user":
            last_call = None
        elif role == "assistant":
            calls = [_plain_call(call) for call in built.get("tool_calls", ())]
            if calls:
                built["tool_calls"] = calls
            if thinking and (calls or last_call is not None):
                built["reasoning_content"] = _thoughts(request, message, calls, last_call)
            if calls:
                last_call = calls[-1]["id"]
        made.append(built)
    return made


def _thoughts(request: ChatRequest, message: Json, calls: list[Json], last_call: str | None) -> str:
    own = message.get("reasoning_content")
    if isinstance(own, str) and own:
        return own
    keys = [(OF_CALL, call["id"]) for call in calls] or [(AFTER_CALL, last_call or "")]
    found = (request.recalled.get(key) for key in keys)
    return next((text for text in found if isinstance(text, str)), "")


def _plain_call(call: Json) -> Json:
    return {name: call[name] for name in ("id", "type", "function")}


def _text(content: str | list[Json] | None, param: str) -> str | None:
    if not isinstance(content, list):
        return content
    texts = []
    for index, part in enumerate(content):
        if part["type"] not in ("text", "refusal"):
            place = f"{param}[{index}]"
            raise invalid(
                place,
                f"`{place}` is no text (`{part['type']}`): DeepSeek reads text only. Use another model.",
            )
        texts.append(part[part["type"]])
    return "".join(texts)


def add_schema(messages: Sequence[Json], wanted: Json | None) -> Sequence[Json]:
    """The messages, told about the JSON that is wanted: DeepSeek knows no schemas, and its `json_object`
    needs the word "json" in the prompt."""
    kind = wanted.get("type") if wanted else None
    if wanted and kind == "json_schema":
        asked = _FIT_SCHEMA + encode(wanted["json_schema"].get("schema", {})).decode()
    elif kind == "json_object" and not any("json" in (m["content"] or "").lower() for m in messages):
        asked = _ANY_OBJECT
    else:
        return messages
    first, *rest = messages
    if first["role"] == "system":
        return [{**first, "content": f"{first['content']}\n\n{asked}"}, *rest]
    return [{"role": "system", "content": asked}, *messages]
