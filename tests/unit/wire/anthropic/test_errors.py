"""Their errors as rows of the one table."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import Json
from fastproxy.wire.anthropic.errors import Source, error_in_answer, parse_error

SOURCE = Source("Anthropic", "check ANTHROPIC_API_KEY")
DATE = {"date": "Mon, 02 Nov 2026 10:00:00 GMT"}


def parse(status: int, body: object, headers: dict[str, str] | None = None) -> UpstreamError:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return parse_error(SOURCE, status, headers or {}, raw)


def envelope(type_: str, message: str = "their words") -> Json:
    return {"type": "error", "error": {"type": type_, "message": message}, "request_id": "req_1"}


@pytest.mark.parametrize(
    ("status", "type_", "kind"),
    [
        (400, "invalid_request_error", ErrorKind.INVALID_REQUEST),
        (401, "authentication_error", ErrorKind.UPSTREAM_AUTH),
        (402, "billing_error", ErrorKind.INSUFFICIENT_QUOTA),
        (403, "permission_error", ErrorKind.UPSTREAM_AUTH),
        (404, "not_found_error", ErrorKind.MODEL_NOT_FOUND),
        (413, "request_too_large", ErrorKind.REQUEST_TOO_LARGE),
        (429, "rate_limit_error", ErrorKind.RATE_LIMITED),
        (500, "api_error", ErrorKind.BAD_RESPONSE),
        (503, "api_error", ErrorKind.OVERLOADED),
        (504, "timeout_error", ErrorKind.TOTAL_TIMEOUT),
        (529, "overloaded_error", ErrorKind.OVERLOADED),
        (500, "overloaded_error", ErrorKind.OVERLOADED),
        (418, "a_type_of_next_year", ErrorKind.INVALID_REQUEST),
    ],
)
def test_types_and_statuses(status: int, type_: str, kind: ErrorKind) -> None:
    error = parse(status, envelope(type_))
    assert (error.kind, error.upstream_status) == (kind, status)
    assert error.message.startswith("Anthropic: their words")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("prompt is too long: 212345 tokens > 200000 maximum", ErrorKind.CONTEXT_LENGTH),
        ("input length and `max_tokens` exceed context limit: 1 + 2 > 3", ErrorKind.CONTEXT_LENGTH),
        ("Your credit balance is too low to access the Anthropic API.", ErrorKind.INSUFFICIENT_QUOTA),
        ("max_tokens: field required", ErrorKind.INVALID_REQUEST),
    ],
)
def test_within_a_400_the_text_decides(message: str, kind: ErrorKind) -> None:
    assert parse(400, envelope("invalid_request_error", message)).kind is kind


@pytest.mark.parametrize(
    ("message", "repair"),
    [
        ("messages.1.content.0: Invalid `signature` in `thinking` block", True),
        (
            "messages.1.content.0.type: Expected `thinking`: it must start with a thinking block",
            True,
        ),
        (
            "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.",
            True,
        ),
        ("`max_tokens` must be greater than `thinking.budget_tokens`", False),
        ("tools.0: schema is invalid", False),
    ],
)
def test_a_refusal_of_thinking_blocks_can_be_repaired(message: str, repair: bool) -> None:
    found = parse(400, envelope("invalid_request_error", message)).repair
    assert (found.name if found else "") == ("anthropic.no_thinking" if repair else "")


def test_a_refused_credential_says_what_to_check_and_not_to_retry() -> None:
    error = parse(401, envelope("authentication_error", "invalid x-api-key"))
    assert error.message == "Anthropic: invalid x-api-key (check ANTHROPIC_API_KEY)"
    assert error.headers == {"x-should-retry": "false"}
    assert not error.retryable


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after": "Mon, 02 Nov 2026 10:00:30 GMT", **DATE}, 30.0),
        (
            {
                "anthropic-ratelimit-requests-remaining": "10",
                "anthropic-ratelimit-requests-reset": "2026-11-02T10:00:01Z",
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-11-02T10:00:12Z",
                **DATE,
            },
            12.0,
        ),
        ({"anthropic-ratelimit-tokens-reset": "2026-11-02T09:00:00Z", **DATE}, 0.0),
        ({"anthropic-ratelimit-tokens-reset": "2026-11-02T10:00:12Z"}, None),
        ({"retry-after": "soon", **DATE}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_when_to_retry(headers: dict[str, str], seconds: float | None) -> None:
    assert parse(429, envelope("rate_limit_error"), headers).retry_after == seconds


def test_a_rate_limit_tells_no_wait_for_other_errors() -> None:
    headers = {"anthropic-ratelimit-tokens-reset": "2026-11-02T10:00:12Z", **DATE}
    assert parse(500, envelope("api_error"), headers).retry_after is None


def test_their_word_on_retrying_wins() -> None:
    assert not parse(529, envelope("overloaded_error"), {"x-should-retry": "false"}).retryable
    assert parse(529, envelope("overloaded_error")).retryable


def test_googles_envelope_is_understood() -> None:
    google = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}}
    for body in (google, [google]):
        error = parse(429, body)
        assert (error.kind, error.message) == (ErrorKind.RATE_LIMITED, "Anthropic: Quota exceeded.")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Anthropic: HTTP 502 without a body."),
        (b"<html><body>Bad Gateway</body></html>", "Anthropic: HTTP 502 without a readable error."),
        (b"upstream\nconnect error", "Anthropic: HTTP 502: upstream connect error"),
        (b'{"error":"boom"}', "Anthropic: boom"),
    ],
)
def test_bodies_that_are_no_envelope(body: bytes, message: str) -> None:
    error = parse(502, body)
    assert (error.kind, error.message) == (ErrorKind.BAD_RESPONSE, message)


def test_errors_without_a_status() -> None:
    assert error_in_answer(SOURCE, {"type": "message"}) is None
    for type_, kind in [
        ("invalid_request_error", ErrorKind.INVALID_REQUEST),
        ("api_error", ErrorKind.BAD_RESPONSE),
    ]:
        error = error_in_answer(SOURCE, envelope(type_))
        assert error is not None
        assert (error.kind, error.upstream_status) == (kind, None)


header_names = st.sampled_from(
    ["retry-after", "retry-after-ms", "date", "anthropic-ratelimit-tokens-reset", "x-should-retry"]
)


@given(st.integers(300, 599), st.binary(max_size=60), st.dictionaries(header_names, st.text(max_size=12)))
def test_any_answer_is_an_error(status: int, body: bytes, headers: dict[str, str]) -> None:
    assert parse(status, body, headers).status >= 400
