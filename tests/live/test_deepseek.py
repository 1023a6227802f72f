"""The real DeepSeek API: DEEPSEEK_API_KEY switches it on."""

from __future__ import annotations

import openai
import pytest

from tests.live.conftest import Start, chosen, needed
from tests.live.conversation import calls_a_tool_and_uses_its_result, tells_a_word
from tests.sdk import both_ways

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
MODEL = chosen("FASTPROXY_LIVE_DEEPSEEK_MODEL", "deepseek-v4-flash")


@pytest.fixture(scope="module")
def deepseek(start: Start) -> openai.OpenAI:
    return start("[providers.deepseek]\n", needed("DEEPSEEK_API_KEY"))


@both_ways
def test_a_question_is_answered_with_usage(deepseek: openai.OpenAI, stream: bool) -> None:
    tells_a_word(deepseek, MODEL, stream=stream)


@both_ways
def test_a_tool_is_called_and_its_result_used(deepseek: openai.OpenAI, stream: bool) -> None:
    calls_a_tool_and_uses_its_result(deepseek, MODEL, stream=stream)
