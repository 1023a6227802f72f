"""Google's errors."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.wire.gemini.errors import MAX_MESSAGE_CHARS, error_in_answer, parse_error, read_error


def error(status: int, message: str = "Why.", *details: dict[str, Any], word: str = "") -> UpstreamError:
    told = {"error": {"code": status, "message": message, "status": word, "details": list(details)}}
    return parse_error(status, {}, orjson.dumps(told))


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, ErrorKind.INVALID_REQUEST, False),
        (401, ErrorKind.UPSTREAM_AUTH, False),
        (403, ErrorKind.UPSTREAM_AUTH, False),
        (404, ErrorKind.MODEL_NOT_FOUND, False),
        (413, ErrorKind.REQUEST_TOO_LARGE, False),
        (429, ErrorKind.RATE_LIMITED, True),
        (499, ErrorKind.BAD_RESPONSE, False),
        (500, ErrorKind.BAD_RESPONSE, True),
        (502, ErrorKind.BAD_RESPONSE, True),
        (503, ErrorKind.OVERLOADED, True),
        (504, ErrorKind.TOTAL_TIMEOUT, True),
    ],
)
def test_the_status_decides_first(status: int, kind: ErrorKind, retryable: bool) -> None:
    found = error(status)
    assert (found.kind, found.retryable, found.upstream_status) == (kind, retryable, status)
    assert found.message.startswith("Vertex AI: Why.")


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (
            400,
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            ErrorKind.CONTEXT_LENGTH,
        ),
        (400, "API key not valid. Please pass a valid API key.", ErrorKind.UPSTREAM_AUTH),
        (400, "Request payload size exceeds the limit: 20971520 bytes.", ErrorKind.REQUEST_TOO_LARGE),
        (429, "Quota exceeded for metric: x, limit: 0, model: y", ErrorKind.INSUFFICIENT_QUOTA),
        (429, "Quota exceeded for metric: x, limit: 0.5", ErrorKind.RATE_LIMITED),
        (429, "Resource exhausted. Please try again later.", ErrorKind.RATE_LIMITED),
        (500, "input token count", ErrorKind.BAD_RESPONSE),
    ],
)
def test_the_text_refines_it(status: int, message: str, kind: ErrorKind) -> None:
    found = error(status, message)
    assert found.kind is kind
    assert message in found.message


@pytest.mark.parametrize(
    ("detail", "kind", "retryable", "delay"),
    [
        (
            {"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]},
            ErrorKind.INSUFFICIENT_QUOTA,
            False,
            None,
        ),
        ({"violations": [{"quotaId": "GenerateRequestsPerMinute"}]}, ErrorKind.RATE_LIMITED, True, None),
        ({"reason": "QUOTA_EXHAUSTED"}, ErrorKind.INSUFFICIENT_QUOTA, False, None),
        ({"reason": "MODEL_CAPACITY_EXHAUSTED"}, ErrorKind.RATE_LIMITED, False, None),
        ({"retryDelay": "34.4s"}, ErrorKind.RATE_LIMITED, True, 34.4),
        ({"retryDelay": "3600s"}, ErrorKind.RATE_LIMITED, False, 3600.0),
        ({"retryDelay": 5}, ErrorKind.RATE_LIMITED, True, None),
    ],
)
def test_details_tell_whether_and_when_a_retry_helps(
    detail: dict[str, Any], kind: ErrorKind, retryable: bool, delay: float | None
) -> None:
    found = error(429, "Why.", detail)
    assert (found.kind, found.retryable, found.retry_after) == (kind, retryable, delay)


@pytest.mark.parametrize(
    ("message", "delay"),
    [
        ("Please retry in 44.097s.", 44.097),
        ("Please retry in 900.2ms.", 0.9),
        ("Please retry in 1m30s", 90.0),
        ("Please retry in a while", None),
    ],
)
def test_the_delay_may_stand_in_the_text(message: str, delay: float | None) -> None:
    assert error(429, message).retry_after == delay


def test_a_retry_after_header_is_taken_first() -> None:
    assert parse_error(503, {"retry-after": "7"}, b"{}").retry_after == 7.0


def test_a_refused_credential_is_the_operators_and_says_what_to_do() -> None:
    found = error(403, "Permission denied on resource.")
    assert "gcloud auth application-default login" in found.message
    assert found.headers == {"x-should-retry": "false"}
    assert found.status == 502


@pytest.mark.parametrize(
    ("status", "message", "repair"),
    [
        (400, "Function call is missing a thought_signature in functionCall parts.", "gemini.no_signatures"),
        (400, "Corrupted thought signature.", "gemini.no_signatures"),
        (400, 'Unknown name "parametersJsonSchema" at tools[0]', "gemini.legacy_schema"),
        (
            400,
            "tools[0].function_declarations[3].parameters.properties: only allowed for OBJECT",
            "gemini.legacy_schema",
        ),
        (400, "Penalty is not enabled for models/gemini-3-pro", "gemini.no_penalties"),
        (400, "Please ensure that the number of function response parts is equal", None),
        (500, "schema", None),
    ],
)
def test_a_refusal_that_can_be_healed_names_its_repair(status: int, message: str, repair: str | None) -> None:
    found = error(status, message).repair
    assert (found and found.name) == repair


def test_details_that_are_no_objects_are_left_out() -> None:
    body = orjson.dumps({"error": {"message": "Why.", "details": [7, {"violations": [8]}]}})
    assert parse_error(429, {}, body).kind is ErrorKind.RATE_LIMITED


def test_a_field_violation_names_the_repair_too() -> None:
    detail = {
        "fieldViolations": [{"field": "tools[0].function_declarations[0].parameters", "description": "bad"}]
    }
    found = error(400, "Request contains an invalid argument.", detail).repair
    assert found
    assert found.name == "gemini.legacy_schema"


@pytest.mark.parametrize("body", [b'[{"error": {"code": 400, "message": "Why."}}]', b'{"error": "Why."}'])
def test_the_envelope_may_be_a_list_or_hold_a_string(body: bytes) -> None:
    assert parse_error(400, {}, body).message == "Vertex AI: Why."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html><title>Error 502 (Server Error)!!1</title>", "a page titled 'Error 502 (Server Error)!!1'"),
        (b"<html>", "HTTP 502 without a message"),
        (b"upstream connect error", "HTTP 502: upstream connect error"),
        (b"", "HTTP 502 without a message"),
        (b"[]", "HTTP 502: []"),
    ],
)
def test_a_body_without_an_error_is_told_in_words(body: bytes, message: str) -> None:
    assert message in parse_error(502, {}, body).message


def test_a_message_is_bounded() -> None:
    assert len(error(400, "x" * 100_000).message) < MAX_MESSAGE_CHARS + 100


def test_an_error_inside_an_answer_has_no_status_of_its_own() -> None:
    found = error_in_answer({"code": 503, "message": "Overloaded."})
    assert (found.kind, found.upstream_status) == (ErrorKind.OVERLOADED, None)
    assert error_in_answer({"code": "?"}).kind is ErrorKind.BAD_RESPONSE


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 999) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "code",
                    "message",
                    "details",
                    "retryDelay",
                    "violations",
                    "fieldViolations",
                    "reason",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.integers(400, 599), st.binary(max_size=50) | json_values.map(orjson.dumps))
def test_whatever_the_body_is_it_becomes_an_error(status: int, body: bytes) -> None:
    found = parse_error(status, {}, body)
    assert found.message.startswith("Vertex AI: ")
    assert 400 <= found.status < 600
    read_error(body)
