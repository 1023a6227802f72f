"""Events and completions as the bytes of OpenAI's Chat Completions.

One `id`, `created` and `model` per answer; the first delta of a choice carries the role; usage comes last,
in a chunk without choices, when it was asked for; a fault ends the stream without `[DONE]`.
Source: `openai` Python SDK 3.54, `types/chat/chat_completion_chunk.py` and `chat_completion.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from fastproxy.errors import ProxyError
from fastproxy.types import Json
from fastproxy.wire.events import (
    Annotations,
    Carry,
    Choice,
    Completion,
    Delta,
    Event,
    Fault,
    Finish,
    Image,
    Reasoning,
    Refusal,
    ToolCall,
    ToolDelta,
    Usage,
)

DONE = b"data: [DONE]\n\n"
_OPEN = b',"finish_reason":null}]}\n\n'


class ChatRenderer:
    """Renders the events of one answer. One object a stream."""

    def __init__(self, id: str, created: int, model: str, include_usage: bool) -> None:  # noqa: A002
        head = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = b"data: " + orjson.dumps(head)[:-1] + b',"choices":['
        self._prefix = self._head + b'{"index":'
        self._include_usage = include_usage
        self._usage: Usage | None = None
        self._begun: set[int] = set()
        self._failed = False

    def render(self, events: Sequence[Event]) -> bytes:
        """The chunks of these events; b"" where they show nothing."""
        return b"".join([self._chunk(event) for event in events])

    def end(self) -> bytes:
        """The usage chunk, if it was asked for and is known, and `[DONE]`; b"" after a Fault."""
        if self._failed:
            return b""
        if self._include_usage and self._usage is not None:
            return self._head + b'],"usage":' + orjson.dumps(usage_json(self._usage)) + b"}\n\n" + DONE
        return DONE

    def _chunk(self, event: Event) -> bytes:
        if self._failed or isinstance(event, Carry):
            return b""
        if isinstance(event, Usage):
            self._usage = event
            return b""
        if isinstance(event, Fault):
            self._failed = True
            return stream_error(event.error)
        delta, tail = _delta(event)
        if event.choice not in self._begun:
            self._begun.add(event.choice)
            delta = {"role": "assistant", "content": _first_content(event), **delta}
        return b'%b%d,"delta":%b%b' % (self._prefix, event.choice, orjson.dumps(delta), tail)


def _first_content(event: Event) -> str | None:
    """What `content` says beside the role where the first piece is no text."""
    return None if isinstance(event, ToolDelta | Refusal) else ""


def _delta(
    event: Delta | Reasoning | Refusal | ToolDelta | Annotations | Image | Finish,
) -> tuple[Json, bytes]:
    """(the chunk's delta, the bytes after it)."""
    match event:
        case Delta():
            return {"content": event.text}, _with_logprobs(event) if event.logprobs else _OPEN
        case Reasoning():
            return {"reasoning_content": event.text}, _OPEN
        case ToolDelta():
            return {"tool_calls": [_tool_delta(event)]}, _OPEN
        case Finish():
            return {}, b',"finish_reason":"%b"}]}\n\n' % event.reason.encode()
        case Refusal():
            return {"refusal": event.text}, _OPEN
        case Annotations():
            return {"annotations": event.items}, _OPEN
        case Image():
            return {"images": [_image(event.url)]}, _OPEN


def _with_logprobs(event: Delta) -> bytes:
    logprobs = {"content": event.logprobs, "refusal": None}
    return b',"logprobs":%b%b' % (orjson.dumps(logprobs), _OPEN)


def _tool_delta(event: ToolDelta) -> Json:
    if event.id is None:
        return {"index": event.index, "function": {"arguments": event.arguments}}
    call = _call(event.id, event.name or "", event.arguments, event.extra_content)
    return {"index": event.index, **call}


def _call(call_id: str, name: str, arguments: str, extra_content: Json | None) -> Json:
    call: Json = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    if extra_content is not None:
        call["extra_content"] = extra_content
    return call


def _image(url: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def usage_json(usage: Usage) -> Json:
    """OpenAI's `usage` object; details only where the provider gave them."""
    made: Json = {
        **usage.extra,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    prompt = {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.cache_write_tokens}
    if known := {name: count for name, count in prompt.items() if count is not None}:
        made["prompt_tokens_details"] = known
    if usage.reasoning_tokens is not None:
        made["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return made


def render_completion(completion: Completion, id: str, created: int, model: str) -> bytes:  # noqa: A002
    """The `chat.completion` body of a whole answer."""
    body: Json = {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [_choice(choice) for choice in completion.choices],
    }
    if completion.usage is not None:
        body["usage"] = usage_json(completion.usage)
    return orjson.dumps(body)


def _choice(choice: Choice) -> Json:
    silent = choice.text is None and not choice.tool_calls and choice.refusal is None
    message: Json = {"role": "assistant", "content": "" if silent else choice.text, "refusal": choice.refusal}
    if choice.reasoning is not None:
        message["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        message["tool_calls"] = [_whole_call(call) for call in choice.tool_calls]
    if choice.annotations:
        message["annotations"] = choice.annotations
    if choice.images:
        message["images"] = [_image(url) for url in choice.images]
    logprobs = {"content": choice.logprobs, "refusal": None} if choice.logprobs else None
    return {
        "index": choice.index,
        "message": message,
        "logprobs": logprobs,
        "finish_reason": choice.finish_reason,
    }


def _whole_call(call: ToolCall) -> Json:
    return _call(call.id, call.name, call.arguments, call.extra_content)


def render_error(error: ProxyError, _request_id: str = "") -> bytes:
    """OpenAI's error envelope; the request's id stands in a header only."""
    return orjson.dumps(error.body())


def stream_error(error: ProxyError) -> bytes:
    """The event that ends a broken stream."""
    return b"data: " + render_error(error) + b"\n\n"
