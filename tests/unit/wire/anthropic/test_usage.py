"""Token counts as OpenAI counts them."""

from __future__ import annotations

from fastproxy.wire.anthropic.usage import merged, usage_of
from fastproxy.wire.events import Usage


def test_the_prompt_includes_what_the_cache_read_and_wrote() -> None:
    counts = {
        "input_tokens": 1,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 300,
        "output_tokens": 4,
    }
    assert usage_of(counts) == Usage(321, 4, 325, cached_tokens=20, cache_write_tokens=300)


def test_later_counts_win_and_nulls_say_nothing() -> None:
    assert merged({"a": 1, "b": 2}, {"a": None, "b": 3}) == {"a": 1, "b": 3}
    assert merged({"a": 1}, "garbage") == {"a": 1}


def test_no_counts_are_no_usage() -> None:
    assert usage_of({}) is None
    assert usage_of({"input_tokens": "many", "output_tokens": True}) == Usage(0, 0, 0)


def test_no_count_is_below_zero() -> None:
    usage = usage_of({"input_tokens": -3, "output_tokens": 5, "cache_read_input_tokens": -1})
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (0, 5, 0)
