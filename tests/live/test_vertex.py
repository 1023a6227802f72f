"""Gemini on the real Vertex AI: GOOGLE_APPLICATION_CREDENTIALS and GOOGLE_CLOUD_PROJECT switch it on."""

from __future__ import annotations

import openai
import pytest

from tests.live.conftest import Start, chosen, needed
from tests.live.conversation import calls_a_tool_and_uses_its_result, tells_a_word
from tests.sdk import both_ways

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
every_model = pytest.mark.parametrize(
    "model", chosen("FASTPROXY_LIVE_VERTEX_MODELS", "gemini-2.5-flash,gemini-3-pro-preview").split(",")
)


@pytest.fixture(scope="module")
def vertex(start: Start) -> openai.OpenAI:
    environment = needed("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT")
    location = chosen("GOOGLE_CLOUD_LOCATION", "global")
    return start(f'[providers.vertex]\nlocation = "{location}"\n', environment)


@every_model
@both_ways
def test_a_question_is_answered_with_usage(vertex: openai.OpenAI, model: str, stream: bool) -> None:
    tells_a_word(vertex, model, stream=stream)


@every_model
@both_ways
def test_a_tool_is_called_and_its_result_used(vertex: openai.OpenAI, model: str, stream: bool) -> None:
    calls_a_tool_and_uses_its_result(vertex, model, stream=stream)
