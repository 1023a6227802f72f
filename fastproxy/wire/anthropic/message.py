"""A completion as Anthropic's message, and what a message and its stream have in common.

Source: Anthropic's Messages reference; SDK types Message, Usage and MessageDeltaUsage.
"""

from __future__ import annotations

from fastproxy.types import Json
from fastproxy.wire.answer import Head
from fastproxy.wire.anthropic.turns import call_input
from fastproxy.wire.events import Choice, Completion, Usage
from fastproxy.wire.openai.passthrough import encode_answer

SIGNATURE = "fastproxy-unsigned"
"""Stands in thinking blocks where Claude's signature would: clients demand one, and ours is not signed by
anybody. It is taken back with the block, and such blocks are never shown to a Claude."""

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def render_message(completion: Completion, head: Head) -> bytes:
    """The `message` body of a whole answer."""
    choice = completion.choices[0] if completion.choices else Choice()
    message = empty_message(head)
    message["content"] = _content(choice)
    message["stop_reason"] = stop_reason(choice.finish_reason, bool(choice.refusal))
    message["usage"] = usage_json(completion.usage)
    return encode_answer(message)


def empty_message(head: Head) -> Json:
    """A message that has only begun."""
    return {
        "id": head.id,
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage_json(None),
    }


def stop_reason(reason: str, refused: bool) -> str:
    """Anthropic's word for OpenAI's finish reason."""
    return "refusal" if refused else _STOP_REASONS.get(reason, "end_turn")


def usage_json(usage: Usage | None) -> Json:
    """The counts, input without what a cache read or wrote. SDKs demand both numbers: unknown ones are 0."""
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    cached, written = usage.cached_tokens, usage.cache_write_tokens
    made: Json = {
        "input_tokens": max(0, usage.prompt_tokens - (cached or 0) - (written or 0)),
        "output_tokens": usage.completion_tokens,
    }
    if cached is not None:
        made["cache_read_input_tokens"] = cached
    if written is not None:
        made["cache_creation_input_tokens"] = written
    if usage.reasoning_tokens is not None:
        made["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return made


def picture(url: str) -> str:
    """A generated image as text: a message of the assistant holds no other kind of image."""
    if url.startswith("data:"):
        return f"[image: {url[5:60].partition(';')[0]}, which a Messages answer cannot carry]"
    return f"![image]({url})"


def _content(choice: Choice) -> list[Json]:
    blocks: list[Json] = []
    if choice.reasoning:
        blocks.append({"type": "thinking", "thinking": choice.reasoning, "signature": SIGNATURE})
    texts = (choice.text, choice.refusal, *map(picture, choice.images))
    if text := "".join(filter(None, texts)):
        blocks.append({"type": "text", "text": text})
    for call in choice.tool_calls:
        given = call_input(call.arguments)
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": given})
    return blocks
