"""What Cursor is told of a fault, and how it is known."""

from __future__ import annotations

import pytest

from fastproxy.cursor import PROFILE, is_cursor, shown
from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.http import HttpRequest


def upstream(kind: ErrorKind, message: str, status: int | None = None) -> UpstreamError:
    error = UpstreamError(kind, message, upstream_status=status, retry_after=7)
    error.provider = "vertex"
    return error


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (upstream(ErrorKind.RATE_LIMITED, "Quota.", 429), "[vertex 429] Quota.", "upstream_rate_limited"),
        (upstream(ErrorKind.UPSTREAM_AUTH, "Login.", 401), "[vertex 401] Login.", "upstream_auth_failed"),
        (
            upstream(ErrorKind.FIRST_TOKEN_TIMEOUT, "Silent."),
            "[vertex first_token_timeout] Silent.",
            "upstream_first_token_timeout",
        ),
        (
            upstream(ErrorKind.CONTEXT_LENGTH, "Too long.", 400),
            "[vertex 400] Too long.",
            "context_length_exceeded",
        ),
        (ProxyError(ErrorKind.RATE_LIMITED, "Our limit."), "Our limit.", "rate_limit_exceeded"),
        (ProxyError(ErrorKind.MODEL_NOT_FOUND, "No such."), "No such.", "model_not_found"),
    ],
)
def test_a_fault_is_a_400_with_the_true_text(error: ProxyError, message: str, code: str) -> None:
    told = shown(error)
    assert (told.status, told.type, told.retry_after) == (400, "invalid_request_error", None)
    assert (told.message, told.code) == (message, code)
    assert error.status == error.kind.value.status


@pytest.mark.parametrize("kind", [ErrorKind.OVERLOADED, ErrorKind.QUEUE_FULL, ErrorKind.BAD_RESPONSE])
def test_no_fault_speaks_of_an_overload(kind: ErrorKind) -> None:
    for error in (upstream(kind, "overloaded_error: Overloaded", 529), ProxyError(kind, "It is OVERLOADED.")):
        told = shown(error)
        assert "overloaded" not in str(told.body()).lower()
        assert "at the limit of its capacity" in told.message


def test_a_wrong_key_of_ours_stays_a_401() -> None:
    error = ProxyError(ErrorKind.INVALID_API_KEY, "Incorrect API key.")
    assert shown(error) is error


@pytest.mark.parametrize(
    ("agent", "path", "profile", "expected"),
    [
        ("Cursor/1.0", "/v1/chat/completions", "openai", True),
        ("my-CURSOR-bridge", "/v1/chat/completions", "openai", True),
        ("OpenAI/Python", "/cursor/v1/chat/completions", "openai", True),
        ("OpenAI/Python", "/v1/chat/completions", PROFILE, True),
        ("OpenAI/Python", "/v1/chat/completions", "openai", False),
        ("", "/cursors", "openai", False),
    ],
)
def test_cursor_is_known_by_its_name_its_path_or_the_settings(
    agent: str, path: str, profile: str, expected: bool
) -> None:
    headers = {"user-agent": agent} if agent else {}
    assert is_cursor(HttpRequest("POST", path, headers, b""), profile) is expected
