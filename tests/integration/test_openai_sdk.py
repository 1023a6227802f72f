"""The OpenAI Python SDK through the proxy, against OpenAI-format upstreams and the demo models."""

from __future__ import annotations

from typing import Any

import openai
import orjson
import pytest
from openai.types.chat import ChatCompletionChunk

from testkit.mock import MockUpstream, Recorded

MODELS = {"deepseek": "deepseek-chat", "openai": "local-some-model"}
USER = [{"role": "user", "content": "hello"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "up-1", "object": "chat.completion.chunk", "created": 7, "model": "upstream-name"}
    return f"data: {orjson.dumps({**head, 'choices': [choice], **more}).decode()}\n\n"


CALLS = (
    chunk({"role": "assistant", "content": None}),
    chunk(
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_a",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": ""},
                }
            ]
        }
    ),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Rome"}'}}]}),
    chunk(
        {
            "tool_calls": [
                {
                    "index": 1,
                    "id": "call_b",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
                }
            ]
        }
    ),
    chunk({}, "tool_calls", usage={"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}),
    "data: [DONE]\n\n",
)


def posts(mock: MockUpstream) -> list[Recorded]:
    """What was asked of a model; discovery asks for lists at its own times."""
    return [request for request in mock.requests() if request.method == "POST"]


def joined(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


@model
def test_a_unary_answer_reads_as_a_completion(client: openai.OpenAI, mock: MockUpstream, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=USER)
    assert answer.object == "chat.completion"
    assert answer.model == model
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer._request_id


@model
def test_a_stream_reads_as_chunks_of_one_answer(
    client: openai.OpenAI, mock: MockUpstream, model: str
) -> None:
    chunks = list(client.chat.completions.create(model=model, messages=USER, stream=True))
    assert {c.id for c in chunks} == {chunks[0].id}
    assert {c.model for c in chunks} == {model}
    assert chunks[0].choices[0].delta.role == "assistant"
    assert joined(chunks)
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == [
        "stop"
    ]


@model
def test_usage_comes_last_when_it_was_asked_for_and_not_otherwise(
    client: openai.OpenAI, mock: MockUpstream, model: str
) -> None:
    asked = list(
        client.chat.completions.create(
            model=model, messages=USER, stream=True, stream_options={"include_usage": True}
        )
    )
    assert asked[-1].choices == []
    assert asked[-1].usage is not None
    plain = list(client.chat.completions.create(model=model, messages=USER, stream=True))
    assert all(c.usage is None and c.choices for c in plain)


@model
def test_a_tool_loop_of_two_turns_with_parallel_calls(
    client: openai.OpenAI, mock: MockUpstream, model: str
) -> None:
    mock.script({"chunks": list(CALLS), "headers": [["content-type", "text/event-stream"]]})
    stream = client.chat.completions.create(model=model, messages=USER, tools=[TOOL], stream=True)
    calls: dict[int, dict[str, str]] = {}
    finish = None
    for part in stream:
        finish = part.choices[0].finish_reason or finish
        for call in part.choices[0].delta.tool_calls or []:
            known = calls.setdefault(call.index, {"id": "", "name": "", "arguments": ""})
            known["id"] += call.id or ""
            known["name"] += (call.function and call.function.name) or ""
            known["arguments"] += (call.function and call.function.arguments) or ""
    assert finish == "tool_calls"
    assert [orjson.loads(c["arguments"])["city"] for c in calls.values()] == ["Rome", "Oslo"]
    mock.reset()
    history = [
        *USER,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": c["id"],
                    "type": "function",
                    "function": {"name": c["name"], "arguments": c["arguments"]},
                }
                for c in calls.values()
            ],
        },
        *({"role": "tool", "tool_call_id": c["id"], "content": "sunny"} for c in calls.values()),
    ]
    answer = client.chat.completions.create(model=model, messages=history, tools=[TOOL])
    assert answer.choices[0].message.content
    sent = posts(mock)[0].json()["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "tool", "tool"]
    assert [c["id"] for c in sent[1]["tool_calls"]] == ["call_a", "call_b"]


def test_reasoning_is_passed_on_intact(client: openai.OpenAI, mock: MockUpstream) -> None:
    mock.script(
        {
            "chunks": [
                ": keep-alive\n\n",
                chunk({"role": "assistant", "content": None, "reasoning_content": "hm"}),
                ": keep-alive\n\n",
                chunk({"content": "4"}),
                chunk({}, "stop"),
                "data: [DONE]\n\n",
            ]
        }
    )
    chunks = list(client.chat.completions.create(model="deepseek-reasoner", messages=USER, stream=True))
    deltas = [c.choices[0].delta for c in chunks]
    assert "".join(getattr(d, "reasoning_content", None) or "" for d in deltas) == "hm"
    assert joined(chunks) == "4"


def test_blank_lines_before_a_unary_answer_do_no_harm(client: openai.OpenAI, mock: MockUpstream) -> None:
    message = {"role": "assistant", "content": "at last"}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "deepseek-chat"}
    text = orjson.dumps(
        {**body, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    ).decode()
    mock.script({"chunks": ["\n\n", "\n", text]})
    answer = client.chat.completions.create(model="deepseek-chat", messages=USER)
    assert answer.choices[0].message.content == "at last"


ERRORS = [
    (400, openai.BadRequestError, "invalid_request_error", None),
    (401, openai.InternalServerError, "upstream_error", "upstream_auth_failed"),
    (402, openai.RateLimitError, "rate_limit_error", "insufficient_quota"),
    (403, openai.InternalServerError, "upstream_error", "upstream_auth_failed"),
    (404, openai.NotFoundError, "invalid_request_error", "model_not_found"),
    (422, openai.BadRequestError, "invalid_request_error", None),
    (429, openai.RateLimitError, "rate_limit_error", "rate_limit_exceeded"),
    (500, openai.InternalServerError, "upstream_error", "bad_response"),
    (503, openai.InternalServerError, "overloaded_error", "overloaded"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize(("status", "raised", "kind", "code"), ERRORS, ids=[str(e[0]) for e in ERRORS])
def test_an_error_of_the_provider_is_an_openai_error(
    client: openai.OpenAI,
    mock: MockUpstream,
    status: int,
    raised: type[openai.APIStatusError],
    kind: str,
    code: str | None,
    stream: bool,
) -> None:
    mock.script(
        {"status": status, "json": {"error": {"message": "their own words", "type": "x", "code": None}}}
    )
    with pytest.raises(raised) as caught:
        client.chat.completions.create(model="deepseek-chat", messages=USER, stream=stream)
    assert caught.value.type == kind
    assert "their own words" in caught.value.message
    assert "sk-upstream-secret" not in str(caught.value)
    if code:
        assert caught.value.code == code


def test_a_stream_that_breaks_raises_and_never_looks_whole(client: openai.OpenAI, mock: MockUpstream) -> None:
    mock.script({"chunks": [chunk({"role": "assistant", "content": "half"})], "end": "reset"})
    stream = client.chat.completions.create(model="deepseek-chat", messages=USER, stream=True)
    with pytest.raises(openai.APIError, match="broke"):
        list(stream)


def test_a_wrong_key_is_refused_and_the_upstream_hears_nothing(
    client: openai.OpenAI, mock: MockUpstream
) -> None:
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-wrong").chat.completions.create(model="deepseek-chat", messages=USER)
    assert posts(mock) == []


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_the_demo_model_echoes(client: openai.OpenAI, stream: bool) -> None:
    if stream:
        text = joined(list(client.chat.completions.create(model="demo-echo", messages=USER, stream=True)))
    else:
        text = (
            client.chat.completions.create(model="demo-echo", messages=USER).choices[0].message.content or ""
        )
    assert text == "hello"


def test_models_are_listed_and_found_one_by_one(client: openai.OpenAI) -> None:
    listed = [entry.id for entry in client.models.list()]
    assert {"demo-echo", "deepseek-chat"} <= set(listed)
    assert client.models.retrieve("deepseek-chat").owned_by == "deepseek"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-99")


@pytest.mark.parametrize("base", ["", "/v1", "/v1/", "/v1/v1", "/cursor/v1"])
def test_every_way_to_write_the_base_url_works(client: openai.OpenAI, base: str) -> None:
    root = str(client.base_url).removesuffix("/v1/")
    answer = client.with_options(base_url=root + base).chat.completions.create(
        model="demo-echo", messages=USER
    )
    assert answer.choices[0].message.content == "hello"
