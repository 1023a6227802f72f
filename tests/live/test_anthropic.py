"""The real Anthropic API: ANTHROPIC_API_KEY switches it on."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from tests.live.conftest import KEY, Start, chosen, needed
from tests.live.conversation import LIMIT, calls_a_tool_and_uses_its_result, tells_a_word
from tests.sdk import both_ways

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
MODEL = chosen("FASTPROXY_LIVE_ANTHROPIC_MODEL", "claude-haiku-4-5")
STRAWBERRY: list[Any] = [{"role": "user", "content": "Answer with the one word: strawberry"}]


@pytest.fixture(scope="module")
def claude(start: Start) -> openai.OpenAI:
    return start("[providers.anthropic]\n", needed("ANTHROPIC_API_KEY"))


@pytest.fixture(scope="module")
def native(claude: openai.OpenAI) -> anthropic.Anthropic:
    """Anthropic's own SDK at the same proxy."""
    base_url = str(claude.base_url).removesuffix("/v1/")
    return anthropic.Anthropic(base_url=base_url, api_key=KEY, timeout=120)


@both_ways
def test_a_question_is_answered_with_usage(claude: openai.OpenAI, stream: bool) -> None:
    tells_a_word(claude, MODEL, stream=stream)


@both_ways
def test_a_tool_is_called_and_its_result_used(claude: openai.OpenAI, stream: bool) -> None:
    calls_a_tool_and_uses_its_result(claude, MODEL, stream=stream)


def test_its_own_sdk_is_answered_whole_and_streamed(native: anthropic.Anthropic) -> None:
    options: dict[str, Any] = {"model": MODEL, "max_tokens": LIMIT, "messages": STRAWBERRY}
    whole: Any = native.messages.create(**options)
    with native.messages.stream(**options) as events:
        streamed: Any = events.get_final_message()
    for answer in (whole, streamed):
        assert "strawberry" in answer.content[0].text.lower()
        assert (answer.model, answer.stop_reason) == (MODEL, "end_turn")
        assert answer.usage.input_tokens > 0


def test_tokens_are_counted(native: anthropic.Anthropic) -> None:
    assert 5 < native.messages.count_tokens(model=MODEL, messages=STRAWBERRY).input_tokens < 50
