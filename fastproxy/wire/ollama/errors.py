"""Ollama's refusals as our errors: the status first, then the text, which always stands in the message.

Sources: Ollama's docs/errors.mdx, server/routes.go and server/sched.go: `{"error": "text"}` with
400, 401, 403, 404, 500 and 503, and the same object as one more line of a stream after its 200.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import orjson

from fastproxy.errors import ErrorKind, Repair, UpstreamError, kind_of_upstream_status

NO_THINKING = "ollama.no_thinking"
"""Repair: leave `think` out, the model cannot think."""
BOOLEAN_THINKING = "ollama.boolean_thinking"
"""Repair: send `think` as true or false, the server or the model knows no levels (or not this one)."""

MAX_TEXT_CHARACTERS = 2000


class _Rule(NamedTuple):
    """What a text means, where the status leaves it open."""

    pattern: re.Pattern[str]
    kind: ErrorKind
    remedy: str = ""
    repair: str = ""


def _rule(pattern: str, kind: ErrorKind, remedy: str = "", repair: str = "") -> _Rule:
    return _Rule(re.compile(pattern, re.IGNORECASE), kind, remedy, repair)


_TEXT_RULES = (
    _rule(
        r"context (length|size|window)|available context|exceeds? (the )?context",
        ErrorKind.CONTEXT_LENGTH,
        "Shorten the conversation, or raise the provider's `num_ctx`.",
    ),
    _rule(
        r"does not support thinking",
        ErrorKind.INVALID_REQUEST,
        "Leave `reasoning_effort` out, or use a model that thinks.",
        NO_THINKING,
    ),
    _rule(
        r"think value|think must be",
        ErrorKind.INVALID_REQUEST,
        "Use `reasoning_effort` none, low, medium or high.",
        BOOLEAN_THINKING,
    ),
    _rule(
        r"does not support tools",
        ErrorKind.INVALID_REQUEST,
        "Leave `tools` out, or use a model with the capability `tools`.",
    ),
    _rule(r"model .*not found|try pulling it", ErrorKind.MODEL_NOT_FOUND),
    _rule(r"server busy|maximum pending requests", ErrorKind.OVERLOADED),
)
_OPEN_STATUSES = (None, 400, 413, 422, 500)
"""Statuses that say too little: only there the text decides."""
_REMEDIES = {
    ErrorKind.UPSTREAM_AUTH: "Sign in with `ollama signin`, or set the provider's `api_key`.",
    ErrorKind.OVERLOADED: "Try again later, or raise OLLAMA_MAX_QUEUE.",
}
_MODEL = re.compile(r"""model ['"]([^'"\s]+)['"]""")


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The error in a non-2xx answer. Total: HTML, an empty body and any other bytes are told too."""
    text = _text(body)
    if text is not None:
        return error_of_text(text, status)
    if not body.strip():
        return _error(kind_of_upstream_status(status), f"status {status} without a text.", status)
    # Whoever answered is no Ollama (a reverse proxy, a wrong path), so a 404 says nothing about the model.
    kind = ErrorKind.BAD_RESPONSE if status == 404 else kind_of_upstream_status(status)
    shown = "an HTML page" if body.lstrip().startswith(b"<") else _shorten(body.decode("utf-8", "replace"))
    remedy = "Does `base_url` lead to the root of an Ollama server?"
    return _error(kind, f"{shown} (status {status}). {remedy}", status, retryable=status >= 500)


def error_of_text(text: str, status: int | None = None) -> UpstreamError:
    """The error that Ollama tells by this text. `status` is None inside a stream."""
    text, rule = _shorten(text), None
    if status in _OPEN_STATUSES:
        rule = next((rule for rule in _TEXT_RULES if rule.pattern.search(text)), None)
    kind = rule.kind if rule else kind_of_upstream_status(status or 500)
    remedy = _pull(text) if kind is ErrorKind.MODEL_NOT_FOUND else _REMEDIES.get(kind, "")
    remedy = rule.remedy if rule and rule.remedy else remedy
    repair = Repair(rule.repair) if rule and rule.repair else None
    message = f"{text}. {remedy}" if remedy else text
    return _error(kind, message, status, repair=repair)


def bad_response(what: str) -> UpstreamError:
    """The error for an answer that is not Ollama's format."""
    return _error(ErrorKind.BAD_RESPONSE, what, None)


def text_of_error(payload: dict[str, object]) -> str | None:
    """The text of `error`, which is a bare string, or an object with `message` behind some gateways."""
    error = payload.get("error")
    if isinstance(error, dict):
        error = error.get("message")
    return error if isinstance(error, str) and error.strip() else None


def _error(
    kind: ErrorKind,
    text: str,
    status: int | None,
    *,
    repair: Repair | None = None,
    retryable: bool | None = None,
) -> UpstreamError:
    return UpstreamError(kind, f"Ollama: {text}", upstream_status=status, repair=repair, retryable=retryable)


def _text(body: bytes) -> str | None:
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return text_of_error(payload) if isinstance(payload, dict) else None


def _pull(text: str) -> str:
    found = _MODEL.search(text)
    return f"Fetch it with `ollama pull {found[1] if found else 'MODEL'}`."


def _shorten(text: str) -> str:
    return text.strip().rstrip(".")[:MAX_TEXT_CHARACTERS]
