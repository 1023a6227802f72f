"""One request on its way, and what is known about it so far."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.observability.record import RequestRecord
from fastproxy.types import Caller, ChatRequest, Headers, Route, UpstreamRequest
from fastproxy.wire.surface import Surface


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings decide about every request."""

    on_unsupported: str = "warn"
    """warn | drop | reject: parameters that a provider has no equivalent for."""
    heartbeat_seconds: float = 10.0
    max_in_flight: int = 2048


@dataclass(slots=True)
class Exchange:
    """A parsed, routed request of a known caller."""

    surface: Surface
    request: ChatRequest
    route: Route
    caller: Caller
    record: RequestRecord
    policy: Policy
    headers: Headers
    """Headers that are passed on to whichever provider answers."""
    id: str = field(init=False)
    created: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        self.id = self.surface.id_prefix + secrets.token_hex(12)

    def check(self, upstream_request: UpstreamRequest) -> None:
        """Notes what a provider cannot do, and refuses the request where the settings want that."""
        dropped = upstream_request.dropped
        self.record.dropped = tuple(item.param for item in dropped)
        if dropped and self.policy.on_unsupported == "reject":
            first = dropped[0]
            raise ProxyError(
                ErrorKind.UNSUPPORTED_PARAMETER,
                f"`{first.param}` cannot be used with this model: {first.reason}.",
                param=first.param,
            )

    def reply_headers(self) -> Headers:
        """Who answered, what was left out, and where the time went."""
        return reply_headers(self.record, self.policy)


def reply_headers(record: RequestRecord, policy: Policy) -> Headers:
    """Who answered, what was left out, and where the time went."""
    headers = (
        ("x-fastproxy-provider", record.provider),
        ("x-fastproxy-model", record.model),
        ("x-fastproxy-attempts", str(record.attempts)),
        ("server-timing", record.server_timing()),
    )
    if record.dropped and policy.on_unsupported == "warn":
        return (*headers, ("x-fastproxy-warning", "not sent to the provider: " + ", ".join(record.dropped)))
    return headers
