"""Providers that go on with texts themselves: where they are asked, and with what."""

from __future__ import annotations

import copy

import orjson
import pytest

from fastproxy.providers import PROVIDERS
from fastproxy.types import Deployment, Json
from fastproxy.wire.events import Delta, Finish, Reasoning, Usage
from fastproxy.wire.openai.completions_request import parse_completions

BODY = {
    "model": "asked",
    "prompt": "def f(",
    "suffix": "): pass",
    "max_tokens": 9,
    "temperature": 0.1,
    "stop": "\n",
    "echo": False,
    "user": "me",
}


def asked(kind: str, base_url: str, **more: object) -> tuple[str, Json]:
    """(the address, the body) of the provider's request."""
    completes = PROVIDERS[kind].text_completion
    assert completes is not None
    request = parse_completions({**BODY, **more})
    before = copy.deepcopy(request)
    built = completes.build_request(request, Deployment("p", kind, "model", base_url))
    assert request == before
    body: Json = orjson.loads(built.body)
    return built.url, body


@pytest.mark.parametrize("base_url", ["https://d", "https://d/v1", "https://d/beta"])
def test_deepseek_fills_gaps_at_its_beta_address(base_url: str) -> None:
    assert asked("deepseek", base_url) == (
        "https://d/beta/completions",
        {
            "model": "model",
            "prompt": "def f(",
            "suffix": "): pass",
            "max_tokens": 9,
            "temperature": 0.1,
            "stop": ["\n"],
        },
    )


@pytest.mark.parametrize("base_url", ["http://o/v1", "http://o/v1/chat/completions"])
def test_an_openai_server_gets_all_that_the_client_said(base_url: str) -> None:
    url, body = asked("openai", base_url, stream=True)
    assert url == "http://o/v1/completions"
    assert body == {
        **BODY,
        "model": "model",
        "stop": ["\n"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_ollama_generates_with_the_settings_of_a_chat() -> None:
    url, body = asked("ollama", "http://o")
    assert url == "http://o/api/generate"
    assert (body["model"], body["prompt"], body["suffix"]) == ("model", "def f(", "): pass")
    assert body["options"]["num_predict"] == 9
    assert not {"messages", "tools"} & set(body)


def test_what_ollama_generates_is_read_as_an_answer() -> None:
    completes = PROVIDERS["ollama"].text_completion
    assert completes is not None
    lines = [
        {"response": "", "thinking": "hm", "done": False},
        {"response": "x", "done": False},
        {"response": "", "done": True, "done_reason": "length", "prompt_eval_count": 2, "eval_count": 1},
    ]
    translator = completes.translate_stream(parse_completions(BODY))
    events = translator.feed(b"".join(orjson.dumps(line) + b"\n" for line in lines)) + translator.finish()
    assert events == [Reasoning("hm"), Delta("x"), Finish("length", native="length"), Usage(2, 1, 3)]


@pytest.mark.parametrize("kind", ["demo", "vertex", "anthropic", "claude"])
def test_the_others_are_asked_in_a_chat(kind: str) -> None:
    assert PROVIDERS[kind].text_completion is None
