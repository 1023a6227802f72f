"""Token counts."""

from __future__ import annotations

import pytest

from fastproxy.wire.events import Usage
from fastproxy.wire.gemini.usage import has_counts, usage


def test_prompt_includes_tools_and_completion_includes_thoughts() -> None:
    metadata = {
        "promptTokenCount": 100,
        "toolUsePromptTokenCount": 20,
        "cachedContentTokenCount": 64,
        "candidatesTokenCount": 30,
        "thoughtsTokenCount": 50,
        "totalTokenCount": 200,
    }
    assert usage(metadata) == Usage(120, 80, 200, cached_tokens=64, reasoning_tokens=50)


def test_thoughts_that_are_counted_already_are_not_added() -> None:
    metadata = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 90,
        "thoughtsTokenCount": 60,
        "totalTokenCount": 100,
    }
    assert usage(metadata) == Usage(10, 90, 100, reasoning_tokens=60)


def test_what_is_missing_is_zero_and_the_total_a_sum() -> None:
    assert usage({"promptTokenCount": 14, "thoughtsTokenCount": "x"}) == Usage(14, 0, 14)


@pytest.mark.parametrize("metadata", [None, {}, {"trafficType": "ON_DEMAND"}, []])
def test_metadata_without_counts_counts_nothing(metadata: object) -> None:
    assert not has_counts(metadata)
