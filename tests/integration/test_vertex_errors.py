"""Gemini's errors as the OpenAI Python SDK sees them: the right exception, and never half an answer."""

from __future__ import annotations

from typing import Any

import openai
import orjson
import pytest

from testkit.mock import CLOSES, GARBAGE, RESETS, MockUpstream
from tests.integration.gemini import (
    BYPASS,
    MODELS,
    SIGNATURE,
    answer_with,
    call,
    events,
    refusal,
    reply,
    response,
    sent,
    signatures,
    text,
)
from tests.sdk import USER, WEATHER, ask, both_ways, calls, kept, result

MODEL = MODELS[2]
RETRY = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}]
DAILY = [
    {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": "GenerateRequestsPerDay"}],
    }
]
TOO_LONG = "The input token count (9) exceeds the maximum number of tokens allowed (8)."

ERRORS = {
    "400": (refusal(400, "Bad thing", "INVALID_ARGUMENT"), openai.BadRequestError, "invalid_request"),
    "context": (
        refusal(400, TOO_LONG, "INVALID_ARGUMENT"),
        openai.BadRequestError,
        "context_length_exceeded",
    ),
    "401": (refusal(401, "No", "UNAUTHENTICATED"), openai.InternalServerError, "upstream_auth_failed"),
    "403": (refusal(403, "No", "PERMISSION_DENIED"), openai.InternalServerError, "upstream_auth_failed"),
    "404": (refusal(404, "No such model", "NOT_FOUND"), openai.NotFoundError, "model_not_found"),
    "429": (
        refusal(429, "Slow", "RESOURCE_EXHAUSTED", RETRY),
        openai.RateLimitError,
        "rate_limit_exceeded",
    ),
    "quota": (
        refusal(429, "Out", "RESOURCE_EXHAUSTED", DAILY),
        openai.RateLimitError,
        "insufficient_quota",
    ),
    "500": (refusal(500, "Oops", "INTERNAL"), openai.InternalServerError, "bad_response"),
    "503": (refusal(503, "Busy", "UNAVAILABLE"), openai.InternalServerError, "overloaded"),
    "504": (refusal(504, "Late", "DEADLINE_EXCEEDED"), openai.InternalServerError, "total_timeout"),
    "html": (
        {"status": 502, "body": "<html><title>Error 502</title></html>"},
        openai.InternalServerError,
        "bad_response",
    ),
    "html 200": ({"body": "<html>Welcome</html>"}, openai.InternalServerError, "bad_response"),
    "nothing": (CLOSES, openai.InternalServerError, "connection_failed"),
    "reset": (RESETS, openai.InternalServerError, "connection_failed"),
    "garbage": (GARBAGE, openai.InternalServerError, "connection_failed"),
}


@both_ways
@pytest.mark.parametrize(("answer", "raised", "code"), ERRORS.values(), ids=ERRORS)
def test_every_refusal_has_its_exception_and_googles_words(
    vertex: openai.OpenAI,
    mock: MockUpstream,
    answer: dict[str, Any],
    raised: type[openai.APIStatusError],
    code: str,
    stream: bool,
) -> None:
    answer_with(mock, answer)
    with pytest.raises(raised) as caught:
        ask(vertex, MODEL, USER, stream=stream)
    assert caught.value.code == code
    assert "mock-google-token" not in str(caught.value)
    said = answer.get("json", {}).get("error", {}).get("message", "")
    assert said in caught.value.message
    assert "vertex" in caught.value.message.lower()


@both_ways
def test_a_stream_sends_its_refusal_as_a_list(
    vertex: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    one = refusal(404, "No such model", "NOT_FOUND")
    answer_with(mock, {**one, "json": [one["json"]]})
    with pytest.raises(openai.NotFoundError, match="No such model"):
        ask(vertex, MODEL, USER, stream=stream)


@both_ways
@pytest.mark.parametrize(
    ("message", "details", "seconds"),
    [("Slow", RETRY, "34"), ("Please retry in 44.097s.", None, "44"), ("Resource exhausted.", None, None)],
    ids=["RetryInfo", "in words", "untold"],
)
def test_when_to_come_back_is_told_in_retry_after(
    vertex: openai.OpenAI,
    mock: MockUpstream,
    message: str,
    details: list[dict[str, Any]] | None,
    seconds: str | None,
    stream: bool,
) -> None:
    answer_with(mock, refusal(429, message, "RESOURCE_EXHAUSTED", details))
    with pytest.raises(openai.RateLimitError) as caught:
        ask(vertex, MODEL, USER, stream=stream)
    assert caught.value.response.headers.get("retry-after") == seconds


@both_ways
def test_the_operators_credential_is_not_blamed_on_the_client_and_not_tried_again(
    vertex: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    answer_with(mock, refusal(403, "Permission denied", "PERMISSION_DENIED"))
    with pytest.raises(openai.InternalServerError) as caught:
        ask(vertex.with_options(max_retries=2), MODEL, USER, stream=stream)
    assert "gcloud auth application-default login" in caught.value.message
    assert len(sent(mock)) == 1


HALF = response([text("half")])
ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
BARE = orjson.dumps(ERROR, option=orjson.OPT_INDENT_2).decode() + "\n"
MIDDLE = {
    "as an event": events(HALF, ERROR),
    "as a list": events(HALF, orjson.dumps([ERROR]).decode()),
    "as bare lines": {**events(HALF), "chunks": [*events(HALF)["chunks"], BARE]},
    "garbage": events(HALF, "{nonsense"),
    "html": events(HALF, "<html>"),
    "the end without a finish": events(HALF),
    "a connection that closes": events(HALF, end="close"),
    "a connection that resets": events(HALF, end="reset"),
}


@pytest.mark.parametrize("answer", MIDDLE.values(), ids=MIDDLE)
def test_a_stream_that_breaks_raises_after_what_was_said(
    vertex: openai.OpenAI, mock: MockUpstream, answer: dict[str, Any]
) -> None:
    answer_with(mock, answer)
    said = ""
    create: Any = vertex.chat.completions.create
    with pytest.raises(openai.APIError) as caught:
        for chunk in create(model=MODEL, messages=USER, stream=True):
            said += chunk.choices[0].delta.content or ""
            assert chunk.choices[0].finish_reason is None
    assert said == "half"
    if BARE in str(answer) or "overloaded" in str(answer):
        assert "The model is overloaded." in caught.value.message


@pytest.mark.parametrize("answer", MIDDLE.values(), ids=MIDDLE)
def test_a_stream_that_breaks_has_no_end_marker(
    vertex: openai.OpenAI, mock: MockUpstream, answer: dict[str, Any]
) -> None:
    answer_with(mock, answer)
    create: Any = vertex.chat.completions.with_raw_response.create
    raw = create(model=MODEL, messages=USER, stream=True).http_response.read()
    assert b"half" in raw
    assert b"[DONE]" not in raw


@both_ways
def test_an_error_inside_a_200_before_any_content_is_an_error_of_its_status(
    vertex: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    answer_with(mock, events(ERROR) if stream else {"json": ERROR})
    with pytest.raises(openai.InternalServerError) as caught:
        ask(vertex, MODEL, USER, stream=stream)
    assert (caught.value.status_code, caught.value.code) == (503, "overloaded")


@both_ways
def test_a_refused_signature_is_replaced_once_and_the_client_never_knows(
    vertex: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    answer_with(mock, reply(call("get_weather", {"city": "Rome"}, SIGNATURE), stream=stream))
    message = ask(vertex, MODEL, USER, stream=stream, tools=[WEATHER]).choices[0].message
    [made] = calls(message)

    mock.reset()
    refused = refusal(400, "Thought signature is not valid.", "INVALID_ARGUMENT")
    answer_with(mock, refused, reply(text("Sunny."), stream=stream))
    history = [*USER, kept(message), result(made.id, "sunny")]
    answer = ask(vertex, MODEL, history, stream=stream, tools=[WEATHER])
    assert answer.choices[0].message.content == "Sunny."
    assert [signatures(request) for request in sent(mock)] == [[SIGNATURE], [BYPASS]]

    mock.reset()
    answer_with(mock, refused)
    with pytest.raises(openai.BadRequestError, match="Thought signature is not valid"):
        ask(vertex, MODEL, history, stream=stream, tools=[WEATHER])
    assert len(sent(mock)) == 2
