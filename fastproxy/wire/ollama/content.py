"""OpenAI's messages as Ollama's: content is one string, images stand beside it, arguments are objects.

Source: Ollama's api/types.go (Message, ToolCall) and docs/capabilities/tool-calling.mdx.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import orjson

from fastproxy.types import Json
from fastproxy.wire.openai.faults import invalid, text_of, wrong_type

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}


def build_messages(messages: Iterable[Json]) -> list[Json]:
    """Ollama's `messages`. Raises ProxyError for content that Ollama cannot take."""
    names: dict[str, str] = {}
    return [_message(message, f"messages[{index}]", names) for index, message in enumerate(messages)]


def _message(message: Json, param: str, names: dict[str, str]) -> Json:
    role = _ROLES.get(text_of(message.get("role"), f"{param}.role"))
    if role is None:
        raise invalid(f"{param}.role", f"`{param}.role` must be one of {', '.join(_ROLES)}.")
    text, images = _content(message.get("content"), f"{param}.content")
    made: Json = {"role": role, "content": text}
    if images:
        made["images"] = images
    if role == "assistant":
        _add_assistant(made, message, param, names)
    elif role == "tool":
        _add_tool_result(made, message, names)
    return made


def _content(content: object, param: str) -> tuple[str, list[str]]:
    if content is None or isinstance(content, str):
        return content or "", []
    if not isinstance(content, list):
        raise wrong_type(param, "a string or a list of content parts", content)
    texts: list[str] = []
    images: list[str] = []
    for index, part in enumerate(content):
        _add_part(part, f"{param}[{index}]", texts, images)
    return "\n".join(texts), images


def _add_part(part: object, param: str, texts: list[str], images: list[str]) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str):
        raise wrong_type(param, "an object with a `type`", part)
    if kind in ("text", "refusal"):
        texts.append(text_of(part.get(kind), f"{param}.{kind}"))
    elif kind in _MEDIA:
        images.append(_MEDIA[kind](part, param))
    else:
        raise invalid(param, f"Ollama takes text, images and audio, not `{kind}`: send its text instead.")


def _image(part: Json, param: str) -> str:
    """The bare base64 of a data URL: Ollama takes no URL, and this proxy fetches none for a client."""
    image = part.get("image_url")
    param = f"{param}.image_url.url"
    url = text_of(image.get("url") if isinstance(image, dict) else image, param)
    head, comma, data = url.partition(",")
    head = head[:100].lower()
    if not (comma and data and head.startswith("data:") and head.endswith(";base64")):
        raise invalid(param, "Ollama takes images as data URLs only: send `data:image/png;base64,...`.")
    return data


def _audio(part: Json, param: str) -> str:
    """Ollama's models that hear take the sound where others take images."""
    audio = part.get("input_audio")
    return text_of(audio.get("data") if isinstance(audio, dict) else None, f"{param}.input_audio.data")


_MEDIA: dict[str, Callable[[Json, str], str]] = {"image_url": _image, "input_audio": _audio}


def _add_assistant(made: Json, message: Json, param: str, names: dict[str, str]) -> None:
    thoughts = message.get("reasoning_content")
    if isinstance(thoughts, str) and thoughts:
        made["thinking"] = thoughts
    refusal = message.get("refusal")
    if not made["content"] and isinstance(refusal, str):
        made["content"] = refusal
    calls = message.get("tool_calls")
    if not calls:
        return
    if not isinstance(calls, list):
        raise wrong_type(f"{param}.tool_calls", "a list of tool calls", calls)
    made["tool_calls"] = [
        _call(call, f"{param}.tool_calls[{index}]", names) for index, call in enumerate(calls)
    ]


def _call(call: object, param: str, names: dict[str, str]) -> Json:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        raise wrong_type(param, "an object with a `function`", call)
    name = text_of(function.get("name"), f"{param}.function.name")
    made: Json = {"function": {"name": name, "arguments": _arguments(function.get("arguments"), param)}}
    if isinstance(call.get("id"), str):
        made["id"] = call["id"]
        names[call["id"]] = name
    return made


def _arguments(text: object, param: str) -> Json:
    """The arguments as the object that Ollama demands.

    A text that is no JSON object was an earlier slip of a model. The client cannot take it back, and the
    tool's complaint follows it in the history: it is kept, as the one argument `input`.
    """
    if text is None or isinstance(text, dict):
        return text or {}
    text = text_of(text, f"{param}.function.arguments")
    if not text.strip():
        return {}
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {"input": text}
    return value if isinstance(value, dict) else {"input": text}


def _add_tool_result(made: Json, message: Json, names: dict[str, str]) -> None:
    """Templates want the tool's name; OpenAI gives only the id of the call it answers."""
    call_id = message.get("tool_call_id")
    name = names.get(call_id) if isinstance(call_id, str) else None
    name = name or message.get("name")
    if isinstance(name, str) and name:
        made["tool_name"] = name
    if isinstance(call_id, str) and call_id:
        made["tool_call_id"] = call_id
