"""Google's errors in, rows of our error table out: the status decides first, the text refines it.

Source: google.rpc.Status in JSON (`{"error": {"code", "message", "status", "details"}}`), which
streamGenerateContent wraps in a list of one; front ends answer in HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from fastproxy.errors import ErrorKind, Repair, UpstreamError, kind_of_upstream_status
from fastproxy.types import Json
from fastproxy.wire.gemini.generation import NO_PENALTIES
from fastproxy.wire.gemini.tools import LEGACY_SCHEMA
from fastproxy.wire.gemini.turns import NO_SIGNATURES

MAX_MESSAGE_CHARS = 4000
_LONG_DELAY_SECONDS = 300.0
_RETRYABLE = frozenset((408, 429, 500, 502, 503, 504))
_CREDENTIAL_HINT = (
    " The proxy's Google credential was refused, not your API key: run"
    " `gcloud auth application-default login`, or check `credentials_file`, `api_key`, `project` and the"
    " roles of the account (Vertex AI User) in the provider's settings."
)
_REFINED_400 = (
    (re.compile(r"API.key (not valid|expired|not found)|API_KEY_INVALID", re.I), ErrorKind.UPSTREAM_AUTH),
    (
        re.compile(
            r"(input|prompt) token count|maximum number of (input )?tokens|context (length|window)", re.I
        ),
        ErrorKind.CONTEXT_LENGTH,
    ),
    (re.compile(r"payload size exceeds", re.I), ErrorKind.REQUEST_TOO_LARGE),
)
_REPAIRS = (
    (re.compile(r"thought.?signature", re.I), Repair(NO_SIGNATURES)),
    (re.compile(r"penalty is not (enabled|supported)", re.I), Repair(NO_PENALTIES)),
    (re.compile(r"schema|function_?declarations?\[\d+\]\.parameters", re.I), Repair(LEGACY_SCHEMA)),
)
_VIOLATIONS = {"violations": ("quotaId",), "fieldViolations": ("field", "description")}
_OUT_OF_QUOTA = re.compile(r"PerDay|QUOTA_EXHAUSTED|limit: 0\b(?!\.\d)")
_NO_CAPACITY = "MODEL_CAPACITY_EXHAUSTED"
_RETRY_TEXT = re.compile(r"retry in ((?:\d+(?:\.\d+)?(?:ms|h|m|s))+)")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_TITLE = re.compile(rb"<title>([^<]{1,200})", re.I)


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The error of a non-2xx answer."""
    error = read_error(body)
    if error is None:
        error = {"message": _without_json(status, body)}
    return upstream_error(status, error, headers=headers, upstream_status=status)


def read_error(body: bytes) -> Json | None:
    """The `error` object of a body that holds one, alone or in a list; None for all else."""
    try:
        return error_in(orjson.loads(body))
    except ValueError:
        return None


def error_in(value: Any) -> Json | None:
    """The same for a value that was parsed already."""
    first = value[0] if isinstance(value, list) and value else value
    error = first.get("error") if isinstance(first, dict) else None
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else None


def upstream_error(
    status: int,
    error: Json,
    *,
    headers: Mapping[str, str] | None = None,
    upstream_status: int | None = None,
) -> UpstreamError:
    """The error for Google's `error` object that came with (or names) this status."""
    message = str(error.get("message") or error.get("status") or f"HTTP {status} without a message")
    told = "\n".join([message, *_words(error.get("details"))])
    kind = _kind(status, told)
    delay = _retry_after(headers or {}, error, told)
    auth = kind is ErrorKind.UPSTREAM_AUTH
    return UpstreamError(
        kind,
        f"Vertex AI: {message[:MAX_MESSAGE_CHARS]}" + (_CREDENTIAL_HINT if auth else ""),
        upstream_status=upstream_status,
        retryable=_retryable(kind, status, told, delay),
        repair=_repair(status, told) if kind is ErrorKind.INVALID_REQUEST else None,
        retry_after=delay,
        headers={"x-should-retry": "false"} if auth else None,
    )


def bad_response(message: str, repair: Repair | None = None) -> UpstreamError:
    """The error for a 200 whose body is not what it should be."""
    return UpstreamError(ErrorKind.BAD_RESPONSE, f"Vertex AI: {message}", repair=repair)


def error_in_answer(error: Json) -> UpstreamError:
    """The error for an `error` object inside a 200: its own code stands for the status."""
    code = error.get("code")
    return upstream_error(code if isinstance(code, int) and 400 <= code < 600 else 500, error)


def _kind(status: int, told: str) -> ErrorKind:
    if status == 400:
        return next(
            (kind for pattern, kind in _REFINED_400 if pattern.search(told)), ErrorKind.INVALID_REQUEST
        )
    if status == 429 and _OUT_OF_QUOTA.search(told):
        return ErrorKind.INSUFFICIENT_QUOTA
    return kind_of_upstream_status(status)


def _retryable(kind: ErrorKind, status: int, told: str, delay: float | None) -> bool:
    if kind is ErrorKind.INSUFFICIENT_QUOTA or _NO_CAPACITY in told:
        return False
    return status in _RETRYABLE and (delay or 0.0) <= _LONG_DELAY_SECONDS


def _repair(status: int, told: str) -> Repair | None:
    if status != 400:
        return None
    return next((repair for pattern, repair in _REPAIRS if pattern.search(told)), None)


def _words(details: object) -> Iterator[str]:
    """What the details say that decides something: quota ids, reasons, metrics."""
    for detail in details if isinstance(details, list) else ():
        if not isinstance(detail, dict):
            continue
        if isinstance(detail.get("reason"), str):
            yield detail["reason"]
        for key, names in _VIOLATIONS.items():
            listed = detail.get(key)
            for violation in listed if isinstance(listed, list) else ():
                if isinstance(violation, dict):
                    yield " ".join(str(violation.get(name) or "") for name in names)


def _retry_after(headers: Mapping[str, str], error: Json, told: str) -> float | None:
    """Seconds to wait: from the header, else RetryInfo, else "Please retry in 44.097s" in the text."""
    header = headers.get("retry-after", "")
    if header.isdecimal():
        return float(header[:9])
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str) and _DURATION.search(delay):
            return _duration(delay)
    found = _RETRY_TEXT.search(told)
    return _duration(found[1]) if found else None


def _duration(text: str) -> float:
    parts = (float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text[:40]))
    return round(sum(parts), 3)


def _without_json(status: int, body: bytes) -> str:
    title = _TITLE.search(body[:20_000])
    if title:
        return f"HTTP {status}, a page titled {title[1].decode('utf-8', 'replace').strip()!r}"
    text = body[:500].decode("utf-8", "replace").strip()
    return (
        f"HTTP {status}: {text}" if text and not text.startswith("<") else f"HTTP {status} without a message"
    )
