"""POST /v1/completions with the OpenAI SDK: each provider is asked for a text as it can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import orjson
import pytest

from testkit.mock import SSE_HEADERS, MockUpstream, Recorded
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY, sdk, vertex_proxy
from tests.integration.gemini import MODELS as GEMINI
from tests.integration.gemini import answer_with, reply, sent, text

Json = dict[str, Any]

CONFIG = """
[providers.deepseek]
api_key = "sk-upstream-secret"
base_url = "{url}"
[providers.local]
kind = "openai"
api_key = "sk-upstream-secret"
base_url = "{url}/v1"
prefix = "local-"
[providers.ollama]
base_url = "{url}"
"""
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])


@pytest.fixture(scope="module")
def running(mock_process: MockUpstream) -> Iterator[FastproxyProcess]:
    with vertex_proxy(mock_process.url, CONFIG.format(url=mock_process.url)) as process:
        yield process


@pytest.fixture
def client(running: FastproxyProcess, mock: MockUpstream) -> Iterator[openai.OpenAI]:
    with sdk(running) as made:
        yield made


def ask(client: openai.OpenAI, model: str, *, stream: bool, **more: Any) -> tuple[str, str | None, int]:
    """(the text, why it ended, tokens in all)."""
    fields: Json = {"model": model, "prompt": "def add(a, b):\n    ", **more}
    if not stream:
        answer = client.completions.create(**fields)
        assert (answer.object, answer.model) == ("text_completion", model)
        assert answer.usage is not None
        return answer.choices[0].text, answer.choices[0].finish_reason, answer.usage.total_tokens
    options = {"include_usage": True}
    parts = list(client.completions.create(**fields, stream=True, stream_options=options))
    assert {(part.object, part.model) for part in parts} == {("text_completion", model)}
    choices = [part.choices[0] for part in parts if part.choices]
    assert parts[-1].usage is not None
    reasons = [choice.finish_reason for choice in choices if choice.finish_reason]
    return "".join(choice.text for choice in choices), reasons[0], parts[-1].usage.total_tokens


def upstream_says(pieces: list[str], *, stream: bool) -> Json:
    """The reply of an upstream that speaks OpenAI's old completions."""
    head = {"id": "up", "object": "text_completion", "created": 1, "model": "up"}
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    if not stream:
        choice = {"index": 0, "text": "".join(pieces), "finish_reason": "stop", "logprobs": None}
        return {"json": {**head, "choices": [choice], "usage": usage}}
    choices = [{"index": 0, "text": piece, "finish_reason": None} for piece in pieces]
    choices.append({"index": 0, "text": "", "finish_reason": "stop"})
    chunks = [{**head, "choices": [choice]} for choice in choices] + [{**head, "choices": [], "usage": usage}]
    lines = [f"data: {orjson.dumps(chunk).decode()}\n\n" for chunk in chunks]
    return {"chunks": [*lines, "data: [DONE]\n\n"], "headers": SSE_HEADERS}


def asked(mock: MockUpstream, path: str) -> Recorded:
    [request] = [request for request in mock.requests() if request.path == path]
    return request


@both_ways
@pytest.mark.parametrize(
    ("model", "path"), [("deepseek-chat", "/beta/completions"), ("local-some", "/v1/completions")]
)
def test_who_completes_texts_is_asked_for_that(
    client: openai.OpenAI, mock: MockUpstream, model: str, path: str, *, stream: bool
) -> None:
    mock.script(upstream_says(["return ", "a + b"], stream=stream), path=path)
    answer = ask(client, model, stream=stream, suffix="\n\nprint(add(1, 2))\n", max_tokens=9, stop=["\n\n"])
    assert answer == ("return a + b", "stop", 12)
    body = asked(mock, path).json()
    assert (body["prompt"], body["suffix"]) == ("def add(a, b):\n    ", "\n\nprint(add(1, 2))\n")
    assert (body["max_tokens"], body["stop"]) == (9, ["\n\n"])
    assert "messages" not in body


@both_ways
def test_ollama_generates(client: openai.OpenAI, mock: MockUpstream, *, stream: bool) -> None:
    lines = [
        {"response": "return ", "done": False},
        {"response": "a + b", "done": False},
        {"response": "", "done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 7},
    ]
    whole = {**lines[-1], "response": "return a + b"}
    body = (
        [orjson.dumps(line).decode() + "\n" for line in lines] if stream else [orjson.dumps(whole).decode()]
    )
    mock.script({"chunks": body}, path="/api/generate")
    answer = ask(client, "ollama-coder", stream=stream, suffix="\n", max_tokens=9)
    assert answer == ("return a + b", "stop", 12)
    given = asked(mock, "/api/generate").json()
    assert (given["model"], given["prompt"], given["suffix"]) == ("coder", "def add(a, b):\n    ", "\n")
    assert given["options"]["num_predict"] == 9
    assert "messages" not in given


@both_ways
def test_others_get_the_prompt_as_a_message(
    client: openai.OpenAI, mock: MockUpstream, *, stream: bool
) -> None:
    answer_with(mock, reply(text("return a + b"), stream=stream))
    said, finish, _tokens = ask(client, GEMINI[0], stream=stream, prompt="go on")
    assert (said, finish) == ("return a + b", "stop")
    assert sent(mock)[0].json()["contents"] == [{"role": "user", "parts": [{"text": "go on"}]}]


@both_ways
def test_the_demo_answers_too(client: openai.OpenAI, *, stream: bool) -> None:
    said, finish, _tokens = ask(client, "demo-echo", stream=stream, prompt=["echo"])
    assert (said, finish) == ("echo", "stop")


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"prompt": ["a", "b"]}, "prompt"), ({"prompt": [[1, 2]]}, "prompt"), ({"suffix": 3}, "suffix")],
)
def test_a_wrong_field_is_named(client: openai.OpenAI, fields: Json, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(**{"model": "demo-chat", "prompt": "hi", **fields})
    assert caught.value.param == param


def test_a_break_in_the_middle_is_told_in_the_stream(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIError, match="broke off"):
        list(client.completions.create(model="demo-error-midstream", prompt="hi", stream=True))


@pytest.mark.parametrize("path", ["/completions", "/v1/v1/completions", "/v1/fim/completions"])
def test_it_is_found_where_clients_look(running: FastproxyProcess, path: str) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    answer = httpx.post(running.url + path, json={"model": "demo-echo", "prompt": "hi"}, headers=headers)
    assert answer.json()["choices"][0]["text"] == "hi"
