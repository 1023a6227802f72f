"""Finish reasons."""

from __future__ import annotations

import pytest
from google.genai import types

from fastproxy.wire.gemini.finish import FAILED, finish_reason


@pytest.mark.parametrize("native", [reason.value for reason in types.FinishReason])
def test_every_reason_that_google_knows_is_one_of_openais(native: str) -> None:
    assert finish_reason(native, blocked=False, called=False) in ("stop", "length", "content_filter")
    assert finish_reason(native, blocked=False, called=True) in ("tool_calls", "length", "content_filter")


def test_a_blocked_prompt_is_filtered_whatever_the_word() -> None:
    assert finish_reason("OTHER", blocked=True, called=False) == "content_filter"


def test_the_failures_are_words_that_google_knows() -> None:
    assert {reason.value for reason in types.FinishReason} >= FAILED - {"MISSING_THOUGHT_SIGNATURE"}
