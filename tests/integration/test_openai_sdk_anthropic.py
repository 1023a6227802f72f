"""The OpenAI SDK to Claude: through Anthropic's API, and through Vertex AI, which speak the same format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import openai
import orjson
import pydantic
import pytest

from testkit.mock import CLOSES, GARBAGE, RESETS, SSE_HEADERS, MockUpstream, Recorded
from testkit.proxy import FastproxyProcess
from tests.integration.anthropic_upstream import (
    answer_with,
    event,
    refusal,
    reply,
    sent,
    stream,
    text,
    thinking,
    use,
)
from tests.integration.conftest import KEYS, ONE_TRY, sdk, vertex_proxy
from tests.sdk import USER, WEATHER, ask, both_ways, calls, extension, kept, result, trimmed

pytestmark = pytest.mark.slow
SIGNATURE = "c2lnbmF0dXJlLW9uZQ=="
IMAGE = "data:image/png;base64,iVBORw0KGgo="
ANTHROPIC = '[providers.anthropic]\napi_key = "sk-upstream-secret"\nbase_url = "{url}"\n' + ONE_TRY


class Door(NamedTuple):
    """One of the ways to Claude."""

    name: str
    client: openai.OpenAI

    def path(self, model: str, *, streamed: bool) -> str:
        if self.name == "anthropic":
            return "/v1/messages"
        method = "streamRawPredict" if streamed else "rawPredict"
        return f"/v1/projects/file-project/locations/global/publishers/anthropic/models/{model}:{method}"


@pytest.fixture(scope="module")
def doors(mock_process: MockUpstream) -> Iterator[dict[str, FastproxyProcess]]:
    url = mock_process.url
    with FastproxyProcess(KEYS + ANTHROPIC.format(url=url)) as direct, vertex_proxy(url) as vertex:
        yield {"anthropic": direct, "vertex": vertex}


@pytest.fixture(params=["anthropic", "vertex"])
def door(
    request: pytest.FixtureRequest, doors: dict[str, FastproxyProcess], mock: MockUpstream
) -> Iterator[Door]:
    with sdk(doors[request.param]) as client:
        yield Door(request.param, client)


every_model = pytest.mark.parametrize(
    "model", ["claude-3-5-sonnet", "claude-3-7-sonnet-latest", "claude-sonnet-4-5", "claude-opus-4-6"]
)
MODEL = "claude-sonnet-4-5"


@every_model
@both_ways
def test_a_question_is_answered_under_the_name_that_was_asked_for(
    door: Door, mock: MockUpstream, model: str, stream: bool
) -> None:
    answer_with(mock, reply(text("Grüße 日本"), streamed=stream))
    answer = ask(door.client, model, USER, stream=stream)
    assert (answer.choices[0].message.content, answer.model) == ("Grüße 日本", model)
    assert answer.choices[0].finish_reason == "stop"
    [request] = sent(mock)
    assert request.path == door.path(model, streamed=stream)
    _has_its_credential(door, request)
    body = request.json()
    assert body["messages"] == [{"role": "user", "content": [text("hello")]}]
    assert body["max_tokens"] > 0
    assert body.get("model") == (model if door.name == "anthropic" else None)
    assert body.get("anthropic_version") == (None if door.name == "anthropic" else "vertex-2023-10-16")


def _has_its_credential(door: Door, request: Recorded) -> None:
    if door.name == "anthropic":
        assert request.header("x-api-key") == "sk-upstream-secret"
        assert request.header("anthropic-version") == "2023-06-01"
        assert request.header("authorization") is None
    else:
        assert request.header("authorization") == "Bearer mock-google-token"
        assert request.header("x-api-key") is None


@both_ways
def test_usage_counts_what_the_cache_read_and_wrote(door: Door, mock: MockUpstream, stream: bool) -> None:
    answer_with(mock, reply(text("Hi"), streamed=stream))
    usage = ask(door.client, MODEL, USER, stream=stream).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (20, 7, 27)
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 8


@pytest.mark.parametrize("keep", [kept, trimmed], ids=["client_keeps_all", "client_drops_all"])
@both_ways
def test_a_tool_loop_gives_the_signed_thoughts_back(
    door: Door, mock: MockUpstream, stream: bool, keep: Any
) -> None:
    calls_made = (
        use("toolu_1", "get_weather", {"city": "Rome"}),
        use("toolu_2", "get_weather", {"city": "Oslo"}),
    )
    thought = thinking("They want two cities.", SIGNATURE)
    answer_with(
        mock,
        reply(thought, text("I look."), *calls_made, streamed=stream, stop="tool_use"),
        reply(text("Sun in Rome, snow in Oslo."), streamed=stream),
    )
    options: dict[str, Any] = {"tools": [WEATHER], "reasoning_effort": "low", "stream": stream}
    first = ask(door.client, MODEL, USER, **options)
    said = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert extension(said, "reasoning_content") == "They want two cities."
    assert [(call.id, call.arguments["city"]) for call in calls(said)] == [
        ("toolu_1", "Rome"),
        ("toolu_2", "Oslo"),
    ]
    history = [*USER, keep(said), result("toolu_2", "snow"), result("toolu_1", "sun")]
    second = ask(door.client, MODEL, history, **options)
    assert second.choices[0].message.content == "Sun in Rome, snow in Oslo."
    _, replay = [request.json() for request in sent(mock)]
    assert replay["thinking"]["type"] == "enabled"
    assert replay["messages"][1:] == [
        {"role": "assistant", "content": [thought, text("I look."), *calls_made]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sun"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "snow"},
            ],
        },
    ]


def test_images_and_documents_reach_claude(door: Door, mock: MockUpstream) -> None:
    content = [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": IMAGE}},
        {"type": "image_url", "image_url": {"url": "https://images.example/a.jpg"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
    ]
    ask(door.client, "claude-3-5-sonnet", [{"role": "user", "content": content}], stream=False)
    [request] = sent(mock)
    _, inline, linked, document = request.json()["messages"][0]["content"]
    assert inline["source"] == {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    assert linked["source"] == {"type": "url", "url": "https://images.example/a.jpg"}
    assert document["source"]["media_type"] == "application/pdf"


class Answer(pydantic.BaseModel):
    city: str


def test_a_schema_is_asked_for_where_the_model_knows_it(door: Door, mock: MockUpstream) -> None:
    answer_with(mock, reply(text('{"city":"Rome"}'), streamed=False))
    parsed = door.client.chat.completions.parse(
        model=MODEL, messages=[{"role": "user", "content": "where?"}], response_format=Answer
    )
    assert parsed.choices[0].message.parsed == Answer(city="Rome")
    [request] = sent(mock)
    wanted = request.json()["output_config"]["format"]
    assert (wanted["type"], wanted["schema"]["required"]) == ("json_schema", ["city"])


@both_ways
def test_an_older_model_gives_its_json_answer_through_a_tool(
    door: Door, mock: MockUpstream, stream: bool
) -> None:
    answer_with(
        mock, reply(use("toolu_1", "_structured_answer", {"city": "Rome"}), streamed=stream, stop="tool_use")
    )
    schema = {"name": "answer", "schema": Answer.model_json_schema()}
    answer = ask(
        door.client,
        "claude-3-5-sonnet",
        USER,
        stream=stream,
        response_format={"type": "json_schema", "json_schema": schema},
    )
    assert orjson.loads(answer.choices[0].message.content or "") == {"city": "Rome"}
    assert answer.choices[0].finish_reason == "stop"
    assert not answer.choices[0].message.tool_calls
    [request] = sent(mock)
    assert request.json()["tool_choice"] == {"type": "tool", "name": "_structured_answer"}


@pytest.mark.parametrize(
    ("model", "effort", "fields"),
    [
        ("claude-3-5-sonnet", "high", {}),
        ("claude-sonnet-4-5", "medium", {"thinking": {"type": "enabled", "budget_tokens": 8192}}),
        ("claude-sonnet-4-5", "none", {"thinking": {"type": "disabled"}}),
        (
            "claude-opus-4-6",
            "high",
            {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "high"},
            },
        ),
    ],
)
def test_effort_is_told_in_each_generations_words(
    door: Door, mock: MockUpstream, model: str, effort: str, fields: dict[str, Any]
) -> None:
    ask(door.client, model, USER, stream=False, reasoning_effort=effort)
    body = sent(mock)[0].json()
    assert {name: body[name] for name in ("thinking", "output_config") if name in body} == fields


ERRORS: dict[str, tuple[dict[str, Any], type[openai.APIStatusError], str]] = {
    "400": (refusal(400, "invalid_request_error"), openai.BadRequestError, "invalid_request"),
    "context": (
        refusal(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
        openai.BadRequestError,
        "context_length_exceeded",
    ),
    "401": (refusal(401, "authentication_error"), openai.InternalServerError, "upstream_auth_failed"),
    "402": (refusal(402, "billing_error"), openai.RateLimitError, "insufficient_quota"),
    "403": (refusal(403, "permission_error"), openai.InternalServerError, "upstream_auth_failed"),
    "404": (refusal(404, "not_found_error"), openai.NotFoundError, "model_not_found"),
    "413": (refusal(413, "request_too_large"), openai.APIStatusError, "request_too_large"),
    "429": (
        refusal(429, "rate_limit_error", **{"retry-after": "7"}),
        openai.RateLimitError,
        "rate_limit_exceeded",
    ),
    "500": (refusal(500, "api_error"), openai.InternalServerError, "bad_response"),
    "504": (refusal(504, "timeout_error"), openai.InternalServerError, "total_timeout"),
    "529": (refusal(529, "overloaded_error"), openai.InternalServerError, "overloaded"),
    "html": ({"status": 502, "body": "<html>"}, openai.InternalServerError, "bad_response"),
    "closed": (CLOSES, openai.InternalServerError, "connection_failed"),
    "reset": (RESETS, openai.InternalServerError, "connection_failed"),
    "garbage": (GARBAGE, openai.InternalServerError, "connection_failed"),
}


@pytest.mark.parametrize("error", ERRORS)
@both_ways
def test_every_failure_is_an_error_of_its_class(
    door: Door, mock: MockUpstream, error: str, stream: bool
) -> None:
    answer, kind, code = ERRORS[error]
    answer_with(mock, answer)
    with pytest.raises(kind) as raised:
        ask(door.client, MODEL, USER, stream=stream)
    assert raised.value.code == code
    assert "sk-upstream-secret" not in str(raised.value)
    if error == "429":
        assert raised.value.response.headers["retry-after"] == "7"


def test_a_stream_that_breaks_ends_with_an_error(door: Door, mock: MockUpstream) -> None:
    events = [piece.decode() for piece in stream(text("Half an answer"))]
    overloaded = event("error", error={"type": "overloaded_error", "message": "Overloaded"}).decode()
    for ending in ([], [overloaded]):
        answer_with(mock, {"chunks": [*events[:4], *ending], "headers": SSE_HEADERS})
        seen = ""
        with pytest.raises(openai.APIError):
            for chunk in door.client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "hi"}], stream=True
            ):
                seen += chunk.choices[0].delta.content or ""
        assert seen == "Ha"


def test_an_error_before_the_first_content_is_an_ordinary_one(door: Door, mock: MockUpstream) -> None:
    overloaded = event("error", error={"type": "overloaded_error", "message": "Overloaded"}).decode()
    begun = [piece.decode() for piece in stream(text("x"))[:3]]
    answer_with(mock, {"chunks": [*begun, overloaded], "headers": SSE_HEADERS})
    with pytest.raises(openai.InternalServerError) as raised:
        ask(door.client, MODEL, USER, stream=True)
    assert (raised.value.status_code, raised.value.code) == (503, "overloaded")
