"""The OpenAI Python SDK through the proxy to Ollama's native API."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import openai
import orjson
import pydantic
import pytest

from testkit.mock import MockUpstream, Recorded
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY, KEYS, ONE_TRY, sdk
from tests.integration.raw import RawClient
from tests.sdk import USER, WEATHER, Json, ask, both_ways, calls, extension, kept, result

MODEL = "ollama-llama3.2:3b"
CONFIG = """
[providers.ollama]
base_url = "{url}"
num_ctx = 4096
num_ctx_by_model = {{ "big" = 8192 }}
keep_alive = "10m"
{one_try}"""
COUNTS = {"prompt_eval_count": 12, "eval_count": 7, "total_duration": 5}


@pytest.fixture(scope="module")
def proxy(mock_process: MockUpstream) -> Iterator[FastproxyProcess]:
    with FastproxyProcess(KEYS + CONFIG.format(url=mock_process.url, one_try=ONE_TRY)) as running:
        yield running


@pytest.fixture
def ollama(proxy: FastproxyProcess, mock: MockUpstream) -> Iterator[openai.OpenAI]:
    with sdk(proxy) as made:
        yield made


def line(message: Json | None = None, *, done: str = "", **more: Any) -> Json:
    """One object of an answer; `done` is the reason of the last one."""
    end = {"done_reason": done, **COUNTS} if done else {}
    message = {"role": "assistant", "content": "", **(message or {})}
    return {"model": "llama3.2:3b", "message": message, "done": bool(done), **end, **more}


def ndjson(*lines: Json, **more: Any) -> Json:
    """The mock's reply that streams these objects."""
    texts = [orjson.dumps(item).decode() + "\n" for item in lines]
    return {"chunks": texts, "headers": {"content-type": "application/x-ndjson"}, **more}


def answer_with(mock: MockUpstream, message: Json, *, stream: bool, done: str = "stop") -> None:
    """Scripts one answer: whole, or the message and its end in two lines."""
    reply = ndjson(line(message), line(done=done)) if stream else {"json": line(message, done=done)}
    mock.script(reply, path="/api/chat")


def sent(mock: MockUpstream) -> list[Recorded]:
    return [request for request in mock.requests() if request.path == "/api/chat"]


@both_ways
def test_a_chat_is_answered_with_ollamas_counts(
    ollama: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    answer_with(mock, {"content": "Grüße 日本"}, stream=stream)
    answer = ask(ollama, MODEL, USER, stream=stream, temperature=0.5, max_tokens=9, stop=["END"], seed=3)
    assert answer.model == MODEL
    assert answer.choices[0].message.content == "Grüße 日本"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (12, 7)
    body = sent(mock)[0].json()
    assert (body["model"], body["stream"], body["keep_alive"]) == ("llama3.2:3b", stream, "10m")
    assert body["messages"] == USER
    sampling = {"temperature": 0.5, "num_predict": 9, "stop": ["END"], "seed": 3}
    assert body["options"] == {**sampling, "num_ctx": 4096}


@both_ways
def test_the_context_is_the_operators_and_the_same_for_every_request_to_a_model(
    ollama: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    create: Any = ollama.chat.completions.with_raw_response.create
    raw = create(model="ollama-big", messages=USER, stream=stream, extra_body={"num_ctx": 100})
    raw.parse()
    assert sent(mock)[0].json()["options"] == {"num_ctx": 8192}
    assert raw.headers["x-fastproxy-warning"] == "not sent to the provider: num_ctx"


@both_ways
def test_a_tool_loop_of_two_turns_with_parallel_calls(
    ollama: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    made = [{"function": {"name": "get_weather", "arguments": {"city": city}}} for city in ("Rome", "Oslo")]
    answer_with(mock, {"tool_calls": made}, stream=stream)
    choice = ask(ollama, MODEL, USER, stream=stream, tools=[WEATHER]).choices[0]
    assert choice.finish_reason == "tool_calls"
    first, second = calls(choice.message)
    assert [first.arguments, second.arguments] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert first.id != second.id

    mock.reset()
    answer_with(mock, {"content": "Sunny and grey."}, stream=stream)
    history = [*USER, kept(choice.message), result(first.id, "sunny"), result(second.id, "grey")]
    answer = ask(ollama, MODEL, history, stream=stream, tools=[WEATHER])
    assert answer.choices[0].message.content == "Sunny and grey."
    _user, said, *answers = sent(mock)[0].json()["messages"]
    assert [item["function"]["arguments"] for item in said["tool_calls"]] == [
        {"city": "Rome"},
        {"city": "Oslo"},
    ]
    assert [(item["role"], item["tool_name"], item["content"]) for item in answers] == [
        ("tool", "get_weather", "sunny"),
        ("tool", "get_weather", "grey"),
    ]


def picture(url: str) -> list[Json]:
    text = {"type": "text", "text": "What is this?"}
    return [{"role": "user", "content": [text, {"type": "image_url", "image_url": {"url": url}}]}]


def test_an_image_is_sent_as_base64(ollama: openai.OpenAI, mock: MockUpstream) -> None:
    data = base64.b64encode(b"\x89PNG").decode()
    ask(ollama, MODEL, picture(f"data:image/png;base64,{data}"), stream=False)
    [message] = sent(mock)[0].json()["messages"]
    assert message == {"role": "user", "content": "What is this?", "images": [data]}


@both_ways
def test_the_address_of_an_image_is_refused_clearly_and_never_fetched(
    ollama: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError, match=r"data:image/png;base64") as caught:
        ask(ollama, MODEL, picture(f"{mock.url}/cat.png"), stream=stream)
    assert caught.value.param == "messages[0].content[1].image_url.url"
    assert [request.path for request in mock.requests() if "/api/" not in request.path] == []
    assert sent(mock) == []


class Person(pydantic.BaseModel):
    name: str
    friends: list[Person] = []


def test_a_pydantic_model_is_asked_for_and_parsed(ollama: openai.OpenAI, mock: MockUpstream) -> None:
    person = Person(name="Ada", friends=[Person(name="Bob")])
    answer_with(mock, {"content": person.model_dump_json()}, stream=False)
    messages: Any = USER
    parsed = ollama.chat.completions.parse(model=MODEL, messages=messages, response_format=Person)
    assert parsed.choices[0].message.parsed == person
    assert sent(mock)[0].json()["format"]["$defs"]["Person"]["properties"]["name"] == {
        "title": "Name",
        "type": "string",
    }


@both_ways
def test_thoughts_are_asked_for_and_shown_apart_from_the_answer(
    ollama: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    answer_with(mock, {"thinking": "Hm.", "content": "4"}, stream=stream)
    message = ask(ollama, MODEL, USER, stream=stream, reasoning_effort="low").choices[0].message
    assert (extension(message, "reasoning_content"), message.content) == ("Hm.", "4")
    assert sent(mock)[0].json()["think"] == "low"


@both_ways
def test_a_model_that_cannot_think_answers_without(
    ollama: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    cannot = {"status": 400, "json": {"error": '"llama3.2:3b" does not support thinking'}}
    good = ndjson(line({"content": "4"}), line(done="stop")) if stream else {"json": line(done="stop")}
    mock.script(cannot, good, path="/api/chat")
    answer = ask(ollama, MODEL, USER, stream=stream, reasoning_effort="low")
    assert answer.choices[0].finish_reason == "stop"
    assert ["think" in request.json() for request in sent(mock)] == [True, False]


@both_ways
def test_a_prompt_that_was_cut_is_never_a_plain_success(
    ollama: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    full = line(done="stop") | {"prompt_eval_count": 4096}
    mock.script(ndjson(line({"content": "what?"}), full) if stream else {"json": full}, path="/api/chat")
    if stream:
        assert ask(ollama, MODEL, USER, stream=True).choices[0].finish_reason == "length"
        return
    with pytest.raises(openai.BadRequestError, match="num_ctx") as caught:
        ask(ollama, MODEL, USER, stream=False)
    assert caught.value.code == "context_length_exceeded"


@both_ways
def test_a_model_that_is_not_there_names_the_command_that_fetches_it(
    ollama: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    mock.script({"status": 404, "json": {"error": "model 'llama3.2:3b' not found"}}, path="/api/chat")
    with pytest.raises(openai.NotFoundError, match=r"ollama pull llama3\.2:3b") as caught:
        ask(ollama, MODEL, USER, stream=stream)
    assert caught.value.code == "model_not_found"


HALF = line({"content": "half"})
MIDDLE = {
    "an error": ndjson(HALF, {"error": "an error was encountered while running the model"}),
    "garbage": {**ndjson(HALF), "chunks": [*ndjson(HALF)["chunks"], "<html>\n"]},
    "the end": ndjson(HALF),
    "a reset": ndjson(HALF, end="reset"),
}


@pytest.mark.parametrize("reply", MIDDLE.values(), ids=MIDDLE)
def test_a_stream_that_breaks_raises_and_has_no_end_marker(
    ollama: openai.OpenAI, mock: MockUpstream, reply: Json
) -> None:
    mock.script(reply, path="/api/chat")
    with pytest.raises(openai.APIError) as caught:
        ask(ollama, MODEL, USER, stream=True)
    if reply is MIDDLE["an error"]:
        assert "while running the model" in caught.value.message
    create: Any = ollama.chat.completions.with_raw_response.create
    raw = create(model=MODEL, messages=USER, stream=True).http_response.read()
    assert b"half" in raw
    assert b"[DONE]" not in raw


def test_a_model_that_loads_for_long_is_waited_for_with_heartbeats(mock: MockUpstream) -> None:
    loaded = ndjson(line({"content": "at last"}), line(done="stop"), gate="load")
    mock.script(loaded, path="/api/chat")
    config = "[server]\nheartbeat_seconds = 0.05\n" + KEYS + CONFIG.format(url=mock.url, one_try=ONE_TRY)
    with FastproxyProcess(config) as proxy, sdk(proxy) as client, RawClient(proxy.url) as raw:
        create: Any = client.chat.completions.create
        stream = create(model=MODEL, messages=USER, stream=True)  # returns with the headers of a heartbeat
        raw.post("/v1/chat/completions", {"model": MODEL, "messages": USER, "stream": True}, KEY)
        raw.read_until(b": ping\n")
        mock.release("load", 2)
        seen = raw.read_until(b"data: [DONE]")
        assert b": x-fastproxy-provider: ollama" in seen
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "at last"
