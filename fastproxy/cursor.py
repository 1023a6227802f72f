"""What Cursor needs and no other client does: faults that it shows, and the usage of every stream.

Source: Cursor's behaviour as its users report it (3.18). It shows an answer with 429 or 5xx as "User API Key
Rate limit exceeded", one with 401 as "Invalid API key", and a 400 in its own words, unless these speak of an
overload. So whatever is not a wrong key of ours is told as a 400, with the true text.
"""

from __future__ import annotations

import re
from dataclasses import replace

from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.http import HttpRequest
from fastproxy.wire.surface import Surface

PROFILE = "cursor"
"""The value of `server.error_profile` by which all clients are treated so."""
_TYPE = "invalid_request_error"
_CODES = {
    ErrorKind.RATE_LIMITED: "upstream_rate_limited",
    ErrorKind.OVERLOADED: "upstream_busy",
    ErrorKind.UPSTREAM_AUTH: "upstream_auth_failed",
}
_OVERLOADED = re.compile(r"overloaded_error(?::\s*overloaded)?|overloaded", re.IGNORECASE)
_BUSY = "at the limit of its capacity"


def is_cursor(request: HttpRequest, profile: str) -> bool:
    """Whether this request is Cursor's, or is to be treated as if it were."""
    agent = request.headers.get("user-agent", "")
    return profile == PROFILE or "cursor" in agent.lower() or request.path.startswith("/cursor/")


def shown(error: ProxyError) -> ProxyError:
    """The same fault as Cursor shows it in full; a wrong key of ours stays what it is."""
    if error.kind is ErrorKind.INVALID_API_KEY:
        return error
    told = ProxyError(
        error.kind,
        _OVERLOADED.sub(_BUSY, _origin(error) + error.message),
        param=error.param,
        code=_OVERLOADED.sub("busy", _code(error)),
        headers=error.headers,
    )
    told.status, told.type = 400, _TYPE
    return told


def for_cursor(surface: Surface) -> Surface:
    """The surface, with usage in every stream and the same words for what ends one before any content."""
    return replace(
        surface,
        parse=lambda body: replace(surface.parse(body), include_usage=True),
        stream_error=lambda head, error: surface.stream_error(head, shown(error)),
    )


def _origin(error: ProxyError) -> str:
    """Who failed and how: `[vertex 429] `, or the fault's name where there was no status."""
    if not isinstance(error, UpstreamError):
        return ""
    return (
        f"[{' '.join(filter(None, (error.provider, str(error.upstream_status or error.kind.value.code))))}] "
    )


def _code(error: ProxyError) -> str:
    own = not isinstance(error, UpstreamError)
    if own or error.kind.value.status == 400:  # the code says more: context_length_exceeded
        return error.code
    return _CODES.get(error.kind) or f"upstream_{error.code.removeprefix('upstream_')}"
