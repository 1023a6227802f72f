"""A real Ollama server: it must run (OLLAMA_HOST, else this machine) and have the model already."""

from __future__ import annotations

import httpx
import openai
import pytest

from tests.live.conftest import Start, chosen
from tests.live.conversation import calls_a_tool_and_uses_its_result, tells_a_word
from tests.sdk import both_ways

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
MODEL = chosen("FASTPROXY_LIVE_OLLAMA_MODEL", "llama3.2:latest")


@pytest.fixture(scope="module")
def ollama(start: Start) -> openai.OpenAI:
    host = chosen("OLLAMA_HOST", "127.0.0.1:11434")
    url = host if "://" in host else f"http://{host}"
    try:
        listed = httpx.get(f"{url}/api/tags", timeout=2, trust_env=False).json()["models"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        pytest.skip(f"no Ollama server answers at {url} ({type(error).__name__})")
    if MODEL not in [model["name"] for model in listed]:
        pytest.skip(f"the Ollama server at {url} does not have {MODEL}: ollama pull {MODEL}")
    return start(f'[providers.ollama]\nbase_url = "{url}"\nnum_ctx = 4096\n')


@both_ways
def test_a_question_is_answered_with_usage(ollama: openai.OpenAI, stream: bool) -> None:
    tells_a_word(ollama, f"ollama-{MODEL}", stream=stream)


@both_ways
def test_a_tool_is_called_and_its_result_used(ollama: openai.OpenAI, stream: bool) -> None:
    calls_a_tool_and_uses_its_result(ollama, f"ollama-{MODEL}", stream=stream)
