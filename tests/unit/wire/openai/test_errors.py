"""Refusals of OpenAI-compatible servers: the right row of the table, and the provider's own text."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind
from fastproxy.wire.openai.errors import error_in_answer, parse_error


def body(message: str, **fields: Any) -> bytes:
    return orjson.dumps({"error": {"message": message, "type": "t", "param": None, "code": None, **fields}})


@pytest.mark.parametrize(
    ("status", "data", "kind"),
    [
        (400, body("Bad field"), ErrorKind.INVALID_REQUEST),
        (422, body("Bad field"), ErrorKind.INVALID_REQUEST),
        (400, body("x", code="context_length_exceeded"), ErrorKind.CONTEXT_LENGTH),
        (400, body("This model's maximum context length is 8192 tokens."), ErrorKind.CONTEXT_LENGTH),
        (413, body("prompt is too long"), ErrorKind.CONTEXT_LENGTH),
        (413, body("too big"), ErrorKind.REQUEST_TOO_LARGE),
        (400, body("x", code="content_filter"), ErrorKind.CONTENT_FILTER),
        (400, body("x", code="unsupported_parameter", param="n"), ErrorKind.UNSUPPORTED_PARAMETER),
        (401, body("Bad key"), ErrorKind.UPSTREAM_AUTH),
        (403, body("No"), ErrorKind.UPSTREAM_AUTH),
        (402, body("Insufficient Balance"), ErrorKind.INSUFFICIENT_QUOTA),
        (404, body("No such model"), ErrorKind.MODEL_NOT_FOUND),
        (429, body("Slow down"), ErrorKind.RATE_LIMITED),
        (429, body("x", code="insufficient_quota"), ErrorKind.INSUFFICIENT_QUOTA),
        (429, body("You exceeded your current quota"), ErrorKind.INSUFFICIENT_QUOTA),
        (500, body("Oops"), ErrorKind.BAD_RESPONSE),
        (503, body("Busy"), ErrorKind.OVERLOADED),
    ],
)
def test_a_refusal_is_one_row_of_the_table(status: int, data: bytes, kind: ErrorKind) -> None:
    error = parse_error(status, {}, data)
    assert error.kind is kind
    assert error.upstream_status == status
    assert orjson.loads(data)["error"]["message"] in error.message
    assert str(status) in error.message


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"error":"bare string"}', "bare string"),
        (b'"just text"', "just text"),
        (b'{"message":"loose"}', "loose"),
        (b'{"detail":[{"loc":["body"],"msg":"missing"}]}', "missing"),
        (b'[{"error":{"message":"in a list"}}]', "in a list"),
        (b"<html><head><title>502 Bad Gateway</title></head><body>x</body></html>", "502 Bad Gateway"),
        (b"upstream\n connect error", "upstream connect error"),
        (b"", "no explanation"),
        (b"\xff\xfe", "�"),
    ],
)
def test_odd_bodies_are_told_too(data: bytes, text: str) -> None:
    error = parse_error(502, {}, data)
    assert text in error.message
    assert error.kind is ErrorKind.BAD_RESPONSE


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_passed_on_where_it_is_a_number(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_error(429, headers, body("x")).retry_after == seconds


def test_a_refused_credential_is_not_retried_and_no_key_is_repeated() -> None:
    error = parse_error(401, {}, body("Incorrect API key provided: sk-abcdefghijklmnop"))
    assert error.headers == {"x-should-retry": "false"}
    assert "abcdefghijklmnop" not in error.message


def test_the_providers_own_code_and_field_are_kept_for_a_wrong_request() -> None:
    error = parse_error(400, {}, body("x", code="invalid_value", param="top_p"))
    assert (error.code, error.param) == ("invalid_value", "top_p")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "x", "code": 503}, ErrorKind.OVERLOADED),
        ({"message": "x", "code": "429"}, ErrorKind.RATE_LIMITED),
        ({"message": "x", "type": "rate_limit_error"}, ErrorKind.RATE_LIMITED),
        ({"message": "x", "type": "server_error"}, ErrorKind.BAD_RESPONSE),
        ("x", ErrorKind.BAD_RESPONSE),
        (7, ErrorKind.BAD_RESPONSE),
    ],
)
def test_an_error_inside_an_answer_is_read_by_its_words(error: Any, kind: ErrorKind) -> None:
    assert error_in_answer(error).kind is kind


@given(st.integers(300, 599), st.binary(max_size=60))
def test_any_bytes_are_an_error(status: int, data: bytes) -> None:
    assert parse_error(status, {"retry-after": data.decode("latin-1")}, data).message


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda s: (
            st.lists(s, max_size=3)
            | st.dictionaries(st.sampled_from(["error", "message", "code", "type", "param", "detail"]), s)
        ),
        max_leaves=8,
    )
)
def test_any_json_is_an_error(value: Any) -> None:
    try:
        data = orjson.dumps(value)
    except TypeError:
        return
    assert parse_error(400, {}, data).message
    assert error_in_answer(value).message
