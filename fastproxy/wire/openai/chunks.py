"""What stands in OpenAI-format answers, whole or in chunks: usage, finish reasons, reasoning, content."""

from __future__ import annotations

import orjson

from fastproxy.types import Json
from fastproxy.wire.events import Usage, count_of
from fastproxy.wire.openai.errors import bad_response, error_in_answer

LEGAL_FINISH = ("stop", "length", "tool_calls", "content_filter")
_FINISH = {
    **{word: word for word in LEGAL_FINISH},
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    # DeepSeek's word for an answer that was cut because its machines were full.
    "insufficient_system_resource": "length",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "model_armor": "content_filter",
    "refusal": "content_filter",
    "sensitive": "content_filter",
}
_CONTENT = ("content", "reasoning_content", "reasoning", "tool_calls", "refusal", "images", "annotations")
_KNOWN = frozenset(
    {
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
    }
)


def decode_chunk(payload: bytes) -> Json:
    """The chunk in an event's data, its `choices` a list of objects. Raises UpstreamError for an error
    that the provider reports in it, and for garbage."""
    try:
        chunk = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise bad_response("the stream holds an event that is no JSON.") from error
    if not isinstance(chunk, dict):
        raise bad_response("the stream holds an event that is no JSON object.")
    if chunk.get("error") is not None:
        raise error_in_answer(chunk["error"])
    choices = chunk.get("choices") or []
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise bad_response("`choices` is no list of objects.")
    chunk["choices"] = choices
    return chunk


def finish_reason(native: str, called: bool) -> str:
    """OpenAI's word for the provider's; an end with tool calls is never "stop". Unknown words mean "stop"."""
    reason = _FINISH.get(native.lower(), "stop")
    return "tool_calls" if called and reason == "stop" else reason


def has_content(delta: Json) -> bool:
    """Whether a delta says anything; a role alone is nothing said."""
    return any(delta.get(name) for name in _CONTENT)


def reasoning_of(holder: Json) -> str:
    """The thoughts in a delta or a message, under either of the names in use."""
    for name in ("reasoning_content", "reasoning"):
        if isinstance(holder.get(name), str):
            return str(holder[name])
    return ""


def full_usage(usage: Json) -> Json:
    """The provider's usage with what OpenAI's clients look for: DeepSeek's cache hits as `cached_tokens`."""
    hits, details = usage.get("prompt_cache_hit_tokens"), usage.get("prompt_tokens_details")
    if type(hits) is not int or (isinstance(details, dict) and "cached_tokens" in details):
        return usage
    known = details if isinstance(details, dict) else {}
    return {**usage, "prompt_tokens_details": {**known, "cached_tokens": hits}}


def usage_of(usage: Json) -> Usage:
    """The counts in OpenAI's `usage` object; what OpenAI does not know goes into `extra`."""
    usage = full_usage(usage)
    prompt, completion = (
        count_of(usage.get("prompt_tokens")) or 0,
        count_of(usage.get("completion_tokens")) or 0,
    )
    of_prompt, of_completion = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    return Usage(
        prompt,
        completion,
        count_of(usage.get("total_tokens")) or prompt + completion,
        count_of(of_prompt.get("cached_tokens")) if isinstance(of_prompt, dict) else None,
        count_of(of_prompt.get("cache_write_tokens")) if isinstance(of_prompt, dict) else None,
        count_of(of_completion.get("reasoning_tokens")) if isinstance(of_completion, dict) else None,
        {} if usage.keys() <= _KNOWN else {name: usage[name] for name in usage if name not in _KNOWN},
    )
