"""One request on its way, and what is known about it so far."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.http import HttpRequest
from fastproxy.ids import unique
from fastproxy.observability.record import RequestRecord
from fastproxy.providers.contract import Provider, TextCompletion
from fastproxy.types import Caller, ChatRequest, Deployment, Headers, Json, Route, UpstreamRequest
from fastproxy.wire.answer import Head
from fastproxy.wire.surface import Surface

TIME_LIMIT_HEADER = "x-fastproxy-timeout"
_FORWARDED = (
    ("traceparent", re.compile(r"[0-9a-f]{2}(-[0-9a-f]+)+")),
    ("tracestate", re.compile(r"[\x20-\x7e]{1,1024}")),
)
"""W3C Trace Context, and what it looks like."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings decide about every request."""

    on_unsupported: str = "warn"
    """warn | drop | reject: parameters that a provider has no equivalent for."""
    heartbeat_seconds: float = 10.0
    max_in_flight: int = 2048
    queue_seconds: float = 0.0
    """How long a request beyond them waits for its turn."""
    error_profile: str = "openai"
    """openai | cursor: how faults are told to clients that do not say who they are."""


@dataclass(slots=True)
class Exchange:
    """A parsed, routed request of a known caller."""

    surface: Surface
    http: HttpRequest
    body: Json
    """What is decoded of it."""
    request: ChatRequest
    """What is parsed of it: its outline alone, where the body passes untouched."""
    route: Route
    caller: Caller
    record: RequestRecord
    policy: Policy
    headers: Headers
    """Headers that are passed on to whichever provider answers."""
    _head: Head | None = field(init=False, default=None)

    @property
    def head(self) -> Head:
        """What all bytes of the answer agree on; an answer that passes as it is needs none."""
        if self._head is None:
            self._head = Head(unique(self.surface.id_prefix), int(time.time()), self.route.model)
        return self._head

    def speaks(self, provider: Provider) -> bool:
        """Whether the provider's wire format is the client's own, so that bytes pass through. Calls of custom
        tools must be written anew."""
        return provider.native_surface == self.surface.name and not self.request.custom_tools

    def build(self, provider: Provider, request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
        """What is sent to a deployment. Raises ProxyError."""
        if provider.native_build is not None and self.speaks(provider):
            return provider.native_build(self.http.body, self.body, self.http.headers, deployment)
        return self.dialect(provider).build_request(request, deployment)

    def dialect(self, provider: Provider) -> Provider | TextCompletion:
        """How the provider is asked, and its answers are read, for this surface."""
        completes = self.surface.completes_texts and provider.text_completion
        return completes or provider

    def check(self, upstream_request: UpstreamRequest) -> None:
        """Notes what a provider cannot do, and refuses the request where the settings want that."""
        dropped = upstream_request.dropped
        self.record.dropped = tuple(item.param for item in dropped) if dropped else ()
        if dropped and self.policy.on_unsupported == "reject":
            first = dropped[0]
            raise ProxyError(
                ErrorKind.UNSUPPORTED_PARAMETER,
                f"`{first.param}` cannot be used with this model: {first.reason}.",
                param=first.param,
            )

    def reply_headers(self) -> Headers:
        """Who answered, what was left out, and where the time went."""
        headers = reply_headers(self.record, self.policy)
        return (*headers, (self.surface.id_header, self.record.id)) if self.surface.id_header else headers


def reply_headers(record: RequestRecord, policy: Policy) -> Headers:
    """Who answered, what was left out, and where the time went."""
    headers = (
        ("x-fastproxy-provider", record.provider),
        ("x-fastproxy-model", record.model),
        ("x-fastproxy-attempts", str(record.attempts)),
        ("server-timing", record.server_timing()),
        *record.limit_headers,
    )
    if record.dropped and policy.on_unsupported == "warn":
        return (*headers, ("x-fastproxy-warning", "not sent to the provider: " + ", ".join(record.dropped)))
    return headers


def time_limit(headers: Mapping[str, str]) -> float | None:
    """Seconds that the client allows for the whole answer; it may only shorten what the settings allow."""
    text = headers.get(TIME_LIMIT_HEADER)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ProxyError(
            ErrorKind.INVALID_REQUEST,
            f"The header `{TIME_LIMIT_HEADER}` must be a number of seconds above 0, like 30 or 2.5.",
            param=TIME_LIMIT_HEADER,
        )
    return seconds


def forwarded(http: HttpRequest) -> Headers:
    """The headers of the client's that travel on: a trace context that is one, and the request's id."""
    passed = [
        (name, http.headers[name])
        for name, pattern in _FORWARDED
        if name in http.headers and pattern.fullmatch(http.headers[name])
    ]
    return (*passed, ("x-request-id", http.id))
