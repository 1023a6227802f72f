"""Gemini's `usageMetadata` as OpenAI counts: prompt with tools and cache, completion with thoughts."""

from __future__ import annotations

from fastproxy.types import Json
from fastproxy.wire.events import Usage, count_of


def has_counts(metadata: object) -> bool:
    """Whether it counts anything: early chunks and blocked prompts say `{"trafficType": ...}` only."""
    return isinstance(metadata, dict) and ("promptTokenCount" in metadata or "totalTokenCount" in metadata)


def usage(metadata: Json) -> Usage:
    """The counts of one answer. Some models count thoughts among the candidates' tokens already."""
    prompt = _count(metadata, "promptTokenCount") + _count(metadata, "toolUsePromptTokenCount")
    candidates, thoughts = _count(metadata, "candidatesTokenCount"), _count(metadata, "thoughtsTokenCount")
    total = _count(metadata, "totalTokenCount")
    inclusive = thoughts > 0 and candidates >= thoughts and prompt + candidates == total
    completion = candidates if inclusive else candidates + thoughts
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total or prompt + completion,
        cached_tokens=_count(metadata, "cachedContentTokenCount") or None,
        reasoning_tokens=thoughts or None,
    )


def _count(metadata: Json, key: str) -> int:
    return count_of(metadata.get(key)) or 0
