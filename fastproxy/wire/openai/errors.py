"""What OpenAI-compatible servers say when they refuse, as our errors; their own text stays in the message.

Source: OpenAI's "Error codes" guide, and the odd bodies of servers that follow it loosely: a bare string,
`{"message"}`, `{"detail"}`, a list, HTML, nothing, JSON sent as application/octet-stream.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from fastproxy.errors import ErrorKind, UpstreamError, kind_of_upstream_status
from fastproxy.types import Json

MAX_TEXT = 2000
_SECRET = re.compile(r"\b(sk-|Bearer\s+)[\w.~+/-]{8,}")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>|<h1[^>]*>(.*?)</h1>", re.IGNORECASE | re.DOTALL)
_CONTEXT = re.compile(
    r"context[ _](length|window|size)|maximum context|(prompt|input) is too long|too many (input )?tokens"
    r"|maximum (prompt|input) length",
    re.IGNORECASE,
)
_BALANCE = re.compile(r"insufficient[ _](balance|quota|credit)|exceeded your current quota", re.IGNORECASE)
_KIND_BY_WORD = {
    "context_length_exceeded": ErrorKind.CONTEXT_LENGTH,
    "insufficient_quota": ErrorKind.INSUFFICIENT_QUOTA,
    "content_filter": ErrorKind.CONTENT_FILTER,
    "content_policy_violation": ErrorKind.CONTENT_FILTER,
    "model_not_found": ErrorKind.MODEL_NOT_FOUND,
    "unsupported_parameter": ErrorKind.UNSUPPORTED_PARAMETER,
    "rate_limit_exceeded": ErrorKind.RATE_LIMITED,
    "rate_limit_error": ErrorKind.RATE_LIMITED,
    "overloaded_error": ErrorKind.OVERLOADED,
    "service_unavailable_error": ErrorKind.OVERLOADED,
    "invalid_api_key": ErrorKind.UPSTREAM_AUTH,
    "authentication_error": ErrorKind.UPSTREAM_AUTH,
    "permission_error": ErrorKind.UPSTREAM_AUTH,
    "invalid_request_error": ErrorKind.INVALID_REQUEST,
}
_REMEDY = {
    ErrorKind.UPSTREAM_AUTH: " Check the API key that is configured for this provider.",
    ErrorKind.INSUFFICIENT_QUOTA: " Top up the account at the provider.",
    ErrorKind.CONTEXT_LENGTH: " Shorten the conversation, or use a model with a larger context.",
}


class Reported(NamedTuple):
    """What a provider's error says."""

    text: str
    words: tuple[str, ...] = ()
    """Its `code` and `type`, where they are words."""
    param: str | None = None
    status: int | None = None
    """The HTTP status in it (`code: 429`), where there is one."""


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The error of a non-2xx answer. Total: any bytes are told."""
    reported = read_body(body)
    kind = _kind(status, reported)
    return make_error(kind, reported, status, retry_after_of(headers))


def error_in_answer(error: object) -> UpstreamError:
    """The error for an `error` that came with a 200, in a stream or a body."""
    reported = read_error(error)
    return make_error(_kind(reported.status, reported), reported, reported.status, None)


def bad_response(what: str) -> UpstreamError:
    """The error for an answer that no client could use."""
    return UpstreamError(ErrorKind.BAD_RESPONSE, f"The provider's answer cannot be used: {what}")


def make_error(
    kind: ErrorKind, reported: Reported, status: int | None, retry_after: float | None
) -> UpstreamError:
    """The error of this kind; `status` is the provider's, None inside a 200."""
    answered = f"The provider answered {status}" if status else "The provider reported an error"
    text = reported.text or "no explanation."
    own = reported.words[0] if reported.words and kind is ErrorKind.INVALID_REQUEST else None
    return UpstreamError(
        kind,
        f"{answered}: {text}{_REMEDY.get(kind, '')}",
        upstream_status=status,
        param=reported.param,
        code=own if own != "invalid_request_error" else None,
        retry_after=retry_after,
        headers={"x-should-retry": "false"} if kind is ErrorKind.UPSTREAM_AUTH else None,
    )


def _kind(status: int | None, reported: Reported) -> ErrorKind:
    """The status decides, the words make it finer, and the text only where both leave it open."""
    said = next((_KIND_BY_WORD[word] for word in reported.words if word in _KIND_BY_WORD), None)
    kind = kind_of_upstream_status(status) if status else said or ErrorKind.BAD_RESPONSE
    if kind in (ErrorKind.INVALID_REQUEST, ErrorKind.REQUEST_TOO_LARGE, ErrorKind.BAD_RESPONSE):
        if said is ErrorKind.CONTEXT_LENGTH or _CONTEXT.search(reported.text):
            return ErrorKind.CONTEXT_LENGTH
        if kind is ErrorKind.INVALID_REQUEST and said is not None:
            return said
    balance = said is ErrorKind.INSUFFICIENT_QUOTA or _BALANCE.search(reported.text)
    if balance and kind in (ErrorKind.RATE_LIMITED, ErrorKind.UPSTREAM_AUTH):
        return ErrorKind.INSUFFICIENT_QUOTA
    return kind


def read_body(body: bytes) -> Reported:
    """What the body of an error says, in any of the forms that were seen."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Reported(_plain_text(body.decode("utf-8", "replace")))
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    if isinstance(parsed, dict) and parsed.get("error") is not None:
        parsed = parsed["error"]
    return read_error(parsed)


def read_error(error: Any) -> Reported:
    """What an error value says: OpenAI's object, a loose relative of it, or a bare string."""
    if isinstance(error, str):
        return Reported(_safe(error))
    if not isinstance(error, dict):
        return Reported("")
    code, kind, param = error.get("code"), error.get("type"), error.get("param")
    number = code if type(code) is int else int(code) if isinstance(code, str) and code.isdecimal() else 0
    return Reported(
        _safe(_message_in(error)),
        tuple(word for word in (code, kind) if isinstance(word, str) and not word.isdecimal()),
        param if isinstance(param, str) else None,
        number if 400 <= number <= 599 else None,
    )


def _message_in(error: Json) -> str:
    for name in ("message", "detail", "msg", "error_msg", "error"):
        value = error.get(name)
        if isinstance(value, str) and value:
            return value
        if value:
            return orjson.dumps(value, default=str).decode() if _shallow(value) else ""
    return ""


def _shallow(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def _plain_text(text: str) -> str:
    """The words of a body that is no JSON: of an HTML page its title."""
    if "<" in text and (match := _TITLE.search(text)) is not None:
        text = match[1] or match[2] or ""
    return _safe(" ".join(text.split()))


def _safe(text: str) -> str:
    return _SECRET.sub(r"\1…", text)[:MAX_TEXT]


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Seconds until a retry may help: `retry-after-ms` or `retry-after` in seconds (a date needs a clock)."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
            return float(value) * unit
    return None
