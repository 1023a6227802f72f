"""Anthropic's token counts as OpenAI counts them.

Source: SDK types Usage and MessageDeltaUsage: input_tokens leaves out what the cache read or wrote, and the
counts of message_delta are cumulative, so a later count replaces an earlier one.
"""

from __future__ import annotations

from fastproxy.types import Json
from fastproxy.wire.anthropic.values import object_of
from fastproxy.wire.events import Usage, count_of


def merged(earlier: Json, later: object) -> Json:
    """The counts known so far: the later ones win, nulls say nothing."""
    return {**earlier, **{key: value for key, value in object_of(later).items() if value is not None}}


def usage_of(counts: Json) -> Usage | None:
    """The usage in OpenAI's counting, None where the provider counted nothing."""
    if "input_tokens" not in counts and "output_tokens" not in counts:
        return None
    cached = count_of(counts.get("cache_read_input_tokens"))
    written = count_of(counts.get("cache_creation_input_tokens"))
    prompt = (count_of(counts.get("input_tokens")) or 0) + (cached or 0) + (written or 0)
    completion = count_of(counts.get("output_tokens")) or 0
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=count_of(object_of(counts.get("output_tokens_details")).get("thinking_tokens")),
    )
