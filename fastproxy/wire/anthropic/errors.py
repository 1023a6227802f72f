"""Anthropic's errors (and Google's, for Claude on Vertex) as rows of the one table.

Sources: Anthropic's "Errors" and "Rate limits" pages; SDK types ErrorResponse and *Error.
Rule: their `type` decides where it says more than the status; the text decides only within a 400.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import orjson

from fastproxy.errors import ErrorKind, Repair, UpstreamError, kind_of_upstream_status
from fastproxy.types import Json
from fastproxy.wire.anthropic.thinking import NO_THINKING
from fastproxy.wire.anthropic.values import object_of, text_of


class Source(NamedTuple):
    """Who speaks: named in every message, with what to do when the credential is refused."""

    name: str
    credential_hint: str


_KIND_BY_TYPE = {
    "authentication_error": ErrorKind.UPSTREAM_AUTH,
    "permission_error": ErrorKind.UPSTREAM_AUTH,
    "billing_error": ErrorKind.INSUFFICIENT_QUOTA,
    "not_found_error": ErrorKind.MODEL_NOT_FOUND,
    "request_too_large": ErrorKind.REQUEST_TOO_LARGE,
    "rate_limit_error": ErrorKind.RATE_LIMITED,
    "timeout_error": ErrorKind.TOTAL_TIMEOUT,
    "overloaded_error": ErrorKind.OVERLOADED,
}
_KIND_BY_TEXT = (
    ("prompt is too long", ErrorKind.CONTEXT_LENGTH),
    ("exceed context limit", ErrorKind.CONTEXT_LENGTH),
    ("context window", ErrorKind.CONTEXT_LENGTH),
    ("credit balance is too low", ErrorKind.INSUFFICIENT_QUOTA),
)
_RETRY = {"true": True, "false": False}
_LIMITS = ("requests", "tokens", "input-tokens", "output-tokens")
_LONGEST_EXCERPT = 300


def parse_error(source: Source, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The error in a non-2xx answer, whatever its body is."""
    error = error_object(_loaded(body))
    message = text_of(error.get("message")) or _excerpt(status, body)
    kind = _kind(status, error, message)
    return make_error(
        source,
        kind,
        message,
        status,
        retryable=_RETRY.get(headers.get("x-should-retry", "").lower()),
        retry_after=_retry_after(headers, kind),
    )


def error_in_answer(source: Source, payload: Json) -> UpstreamError | None:
    """The error that a 200 body or a stream event holds instead of an answer, if any."""
    error = error_object(payload)
    if not error and payload.get("type") != "error":
        return None
    message = text_of(error.get("message")) or "an error without a message"
    return make_error(source, _kind(None, error, message), message, None)


def make_error(
    source: Source,
    kind: ErrorKind,
    message: str,
    status: int | None,
    *,
    retryable: bool | None = None,
    retry_after: float | None = None,
) -> UpstreamError:
    """The error with the provider's name before its own words."""
    told = f"{source.name}: {message}"
    refused = kind is ErrorKind.UPSTREAM_AUTH
    return UpstreamError(
        kind,
        f"{told} ({source.credential_hint})" if refused else told,
        upstream_status=status,
        retryable=retryable,
        retry_after=retry_after,
        repair=_repair(kind, message),
        headers={"x-should-retry": "false"} if refused else None,
    )


def error_object(payload: object) -> Json:
    """The `error` object of Anthropic's envelope, or of Google's (which may be in a one-element list)."""
    if isinstance(payload, list) and payload:
        payload = payload[0]
    error = object_of(payload).get("error")
    return {"message": error} if isinstance(error, str) else object_of(error)


def _kind(status: int | None, error: Json, message: str) -> ErrorKind:
    kind = _KIND_BY_TYPE.get(text_of(error.get("type")))
    if kind is None and status is None:
        refused = error.get("type") == "invalid_request_error"
        kind = ErrorKind.INVALID_REQUEST if refused else ErrorKind.BAD_RESPONSE
    kind = kind or kind_of_upstream_status(status or 500)
    if kind is not ErrorKind.INVALID_REQUEST:
        return kind
    lowered = message.lower()
    return next((found for words, found in _KIND_BY_TEXT if words in lowered), kind)


def _repair(kind: ErrorKind, message: str) -> Repair | None:
    lowered = message.lower()
    speaks_of_blocks = "thinking" in lowered and ("block" in lowered or "signature" in lowered)
    return Repair(NO_THINKING) if kind is ErrorKind.INVALID_REQUEST and speaks_of_blocks else None


def _loaded(body: bytes) -> object:
    try:
        loaded: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return loaded


def _excerpt(status: int, body: bytes) -> str:
    """Words for a body that is no error envelope: a load balancer's page, plain text or nothing."""
    text = body[: _LONGEST_EXCERPT * 4].decode("utf-8", "replace").strip()
    if not text:
        return f"HTTP {status} without a body."
    if text.startswith(("<", "{", "[")):
        return f"HTTP {status} without a readable error."
    return f"HTTP {status}: {' '.join(text.split())[:_LONGEST_EXCERPT]}"


def _retry_after(headers: Mapping[str, str], kind: ErrorKind) -> float | None:
    """Seconds to wait: Retry-After, else the reset of the rate limit that is used up."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _number(headers.get(name))
        if seconds is not None:
            return seconds * unit
    now = _http_date(headers.get("date"))
    if now is None:
        return None
    if (at := _http_date(headers.get("retry-after"))) is not None:
        return max(0.0, at - now)
    if kind is not ErrorKind.RATE_LIMITED:
        return None
    used_up = [name for name in _LIMITS if headers.get(f"anthropic-ratelimit-{name}-remaining") == "0"]
    resets = (_iso_date(headers.get(f"anthropic-ratelimit-{name}-reset")) for name in used_up or _LIMITS)
    waits = [max(0.0, reset - now) for reset in resets if reset is not None]
    return max(waits, default=None)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _http_date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _iso_date(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except (ValueError, OverflowError, OSError):
        return None
