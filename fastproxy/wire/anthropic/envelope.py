"""Our errors in Anthropic's envelope, in Anthropic's words; the statuses are those of the one table.

Source: Anthropic's "Errors" page; SDK types ErrorResponse and ErrorObject.
"""

from __future__ import annotations

import orjson

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import Json

_TYPE_BY_STATUS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_TYPE_BY_KIND = {ErrorKind.INSUFFICIENT_QUOTA: "billing_error"}
_TOO_LONG = "prompt is too long"
"""Anthropic's words for a full context: agents look for them before they make their history shorter."""


def render_error(error: ProxyError, request_id: str = "") -> bytes:
    """The body of a refused request; `request_id` is left out where it is not known."""
    return orjson.dumps({**_envelope(error), "request_id": request_id} if request_id else _envelope(error))


def stream_error(error: ProxyError) -> bytes:
    """The event that ends a broken stream."""
    return b"event: error\ndata: " + orjson.dumps(_envelope(error)) + b"\n\n"


def _envelope(error: ProxyError) -> Json:
    usual = "invalid_request_error" if error.status < 500 else "api_error"
    kind = _TYPE_BY_KIND.get(error.kind) or _TYPE_BY_STATUS.get(error.status, usual)
    message = error.message
    if error.kind is ErrorKind.CONTEXT_LENGTH and _TOO_LONG not in message.lower():
        message = f"{_TOO_LONG}: {message}"
    return {"type": "error", "error": {"type": kind, "message": message}}
