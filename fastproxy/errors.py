"""Every error of fastproxy: one exception, one table (status, type, code, retryable).

Rules:
1. Whoever finds a fault raises `ProxyError` with a row of `ErrorKind`; nobody else picks a status.
2. A message says what happened, at which provider, and what to do. It never holds a key or a prompt.
3. `retryable` means: the same request may succeed later. What is done about it is decided in
   `resilience/`, never here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple


class ErrorRow(NamedTuple):
    """What a client sees of one kind of error."""

    status: int
    type: str
    code: str
    retryable: bool


class ErrorKind(Enum):
    """The one table: OpenAI's envelope for every fault we know."""

    INVALID_REQUEST = ErrorRow(400, "invalid_request_error", "invalid_request", False)
    INVALID_JSON = ErrorRow(400, "invalid_request_error", "invalid_json", False)
    CONTEXT_LENGTH = ErrorRow(400, "invalid_request_error", "context_length_exceeded", False)
    UNSUPPORTED_PARAMETER = ErrorRow(400, "invalid_request_error", "unsupported_parameter", False)
    CONTENT_FILTER = ErrorRow(400, "invalid_request_error", "content_filter", False)
    INVALID_API_KEY = ErrorRow(401, "authentication_error", "invalid_api_key", False)
    MODEL_NOT_ALLOWED = ErrorRow(403, "permission_error", "model_not_allowed", False)
    MODEL_NOT_FOUND = ErrorRow(404, "invalid_request_error", "model_not_found", False)
    NOT_FOUND = ErrorRow(404, "invalid_request_error", "not_found", False)
    METHOD_NOT_ALLOWED = ErrorRow(405, "invalid_request_error", "method_not_allowed", False)
    REQUEST_TIMEOUT = ErrorRow(408, "invalid_request_error", "request_timeout", True)
    REQUEST_TOO_LARGE = ErrorRow(413, "invalid_request_error", "request_too_large", False)
    UNSUPPORTED_MEDIA_TYPE = ErrorRow(415, "invalid_request_error", "unsupported_media_type", False)
    RATE_LIMITED = ErrorRow(429, "rate_limit_error", "rate_limit_exceeded", True)
    INSUFFICIENT_QUOTA = ErrorRow(429, "rate_limit_error", "insufficient_quota", False)
    INTERNAL = ErrorRow(500, "server_error", "internal", False)
    UPSTREAM_AUTH = ErrorRow(502, "upstream_error", "upstream_auth_failed", False)
    BAD_RESPONSE = ErrorRow(502, "upstream_error", "bad_response", True)
    CONNECTION_FAILED = ErrorRow(502, "upstream_error", "connection_failed", True)
    OVERLOADED = ErrorRow(503, "overloaded_error", "overloaded", True)
    CIRCUIT_OPEN = ErrorRow(503, "overloaded_error", "circuit_open", True)
    QUEUE_FULL = ErrorRow(503, "overloaded_error", "queue_full", True)
    DRAINING = ErrorRow(503, "overloaded_error", "draining", True)
    CONNECT_TIMEOUT = ErrorRow(504, "timeout_error", "connect_timeout", True)
    FIRST_TOKEN_TIMEOUT = ErrorRow(504, "timeout_error", "first_token_timeout", True)
    IDLE_TIMEOUT = ErrorRow(504, "timeout_error", "idle_timeout", True)
    TOTAL_TIMEOUT = ErrorRow(504, "timeout_error", "total_timeout", True)


@dataclass(frozen=True, slots=True)
class Repair:
    """A change of the request that may heal a refusal; `resilience/attempts.py` applies it once.

    `name` is the provider's own word for it; the changed request carries it in `ChatRequest.repairs`,
    and the provider's `build_request` looks there.
    """

    name: str


class ProxyError(Exception):
    """A fault with a place in the table. Raised anywhere, turned into a response in one place."""

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        row = kind.value
        self.kind = kind
        self.message = message
        self.param = param
        self.status = row.status
        self.type = row.type
        self.code = code or row.code
        self.retryable = row.retryable
        self.retry_after = retry_after
        """Seconds until a retry may help, where known."""
        self.headers: Mapping[str, str] = headers or {}
        """More response headers (already safe to send to the client)."""

    def body(self) -> dict[str, Any]:
        """OpenAI's envelope: {"error": {"message", "type", "param", "code"}}."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": error}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {self.code}: {self.message[:120]}>"


class UpstreamError(ProxyError):
    """A fault found at, or reported by, a provider. `parse_error` of a provider makes them."""

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        upstream_status: int | None = None,
        retryable: bool | None = None,
        repair: Repair | None = None,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind, message, param=param, code=code, retry_after=retry_after, headers=headers)
        self.upstream_status = upstream_status
        """The provider's own HTTP status, None where there was none (reset, timeout, in-stream)."""
        self.provider = ""
        """Which one failed, once an attempt at it has."""
        self.repair = repair
        if retryable is not None:
            self.retryable = retryable


_KIND_BY_STATUS = {
    400: ErrorKind.INVALID_REQUEST,
    401: ErrorKind.UPSTREAM_AUTH,
    402: ErrorKind.INSUFFICIENT_QUOTA,
    403: ErrorKind.UPSTREAM_AUTH,
    404: ErrorKind.MODEL_NOT_FOUND,
    408: ErrorKind.TOTAL_TIMEOUT,
    409: ErrorKind.OVERLOADED,
    413: ErrorKind.REQUEST_TOO_LARGE,
    422: ErrorKind.INVALID_REQUEST,
    429: ErrorKind.RATE_LIMITED,
    499: ErrorKind.BAD_RESPONSE,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.TOTAL_TIMEOUT,
    529: ErrorKind.OVERLOADED,
}


def kind_of_upstream_status(status: int) -> ErrorKind:
    """The row for a provider's HTTP status: the first guess, before a provider reads the text."""
    kind = _KIND_BY_STATUS.get(status)
    if kind is not None:
        return kind
    return ErrorKind.INVALID_REQUEST if 400 <= status < 500 else ErrorKind.BAD_RESPONSE
