"""Every kind of error in Anthropic's words."""

from __future__ import annotations

import orjson
import pytest

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.wire.anthropic.envelope import render_error, stream_error

WORDS = {
    ErrorKind.INVALID_REQUEST: "invalid_request_error",
    ErrorKind.INVALID_API_KEY: "authentication_error",
    ErrorKind.MODEL_NOT_ALLOWED: "permission_error",
    ErrorKind.MODEL_NOT_FOUND: "not_found_error",
    ErrorKind.METHOD_NOT_ALLOWED: "invalid_request_error",
    ErrorKind.REQUEST_TOO_LARGE: "request_too_large",
    ErrorKind.RATE_LIMITED: "rate_limit_error",
    ErrorKind.INSUFFICIENT_QUOTA: "billing_error",
    ErrorKind.INTERNAL: "api_error",
    ErrorKind.UPSTREAM_AUTH: "api_error",
    ErrorKind.OVERLOADED: "overloaded_error",
    ErrorKind.FIRST_TOKEN_TIMEOUT: "timeout_error",
}


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_error_has_one_of_anthropics_types(kind: ErrorKind) -> None:
    body = orjson.loads(render_error(ProxyError(kind, "what happened"), "req_1"))
    assert (body["type"], body["request_id"]) == ("error", "req_1")
    assert body["error"]["type"] in set(WORDS.values())
    assert body["error"]["type"] == WORDS.get(kind, body["error"]["type"])
    assert body["error"]["message"].endswith("what happened")


def test_a_full_context_is_told_in_the_words_that_agents_look_for() -> None:
    error = ProxyError(ErrorKind.CONTEXT_LENGTH, "The box holds 10 tokens.")
    assert (
        orjson.loads(render_error(error))["error"]["message"]
        == "prompt is too long: The box holds 10 tokens."
    )
    own = ProxyError(ErrorKind.CONTEXT_LENGTH, "Anthropic: prompt is too long: 11 > 10")
    assert orjson.loads(render_error(own))["error"]["message"] == own.message


def test_an_error_in_a_stream_is_an_event() -> None:
    event = stream_error(ProxyError(ErrorKind.OVERLOADED, "busy"))
    assert event == (
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
    )
