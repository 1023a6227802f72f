"""What happened to one request: filled in on its way, read once at its end. Never any content."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from fastproxy.errors import ProxyError, UpstreamError
from fastproxy.observability.trace import Trace
from fastproxy.types import Deployment, Headers
from fastproxy.wire.events import Usage


class Settle(Protocol):
    """Takes the true tokens of a request that was admitted by an estimate."""

    def __call__(self, usage: Usage | None, *, answered: bool) -> None:
        """Returns at once."""
        ...


MAX_NAME = 200
"""Characters of a client's words that are told in logs, metrics and headers."""


_OPERATIONS = {
    "completions": "text_completion",
    "embeddings": "embeddings",
    "count_tokens": "count_tokens",
}


@dataclass(slots=True)
class RequestRecord:
    """Times are `time.monotonic()` seconds; durations are seconds."""

    id: str
    method: str
    path: str
    bytes_in: int = 0
    started: float = field(default_factory=time.monotonic)
    caller: str = ""
    asked_model: str = ""
    model: str = ""
    """The beginning of the model's name at the provider."""
    provider: str = ""
    stream: bool = False
    attempts: int = 0
    status: int = 0
    error_code: str = ""
    error_message: str = ""
    upstream_status: int | None = None
    finish: str = ""
    usage: Usage | None = None
    bytes_out: int = 0
    client_gone: bool = False
    dropped: tuple[str, ...] = ()
    failed_attempts: tuple[tuple[str, str], ...] = ()
    """(provider, error code) of every attempt that failed, in their order."""
    failed_models: tuple[str, ...] = ()
    """The models that were asked for there, in the same order."""
    skipped: tuple[str, ...] = ()
    """The fallbacks that were not asked, and why."""
    admitted: bool = False
    """It holds one of the places of `server.max_in_flight`."""
    limit_headers: Headers = ()
    """What the client is told of its rate limits."""
    settle: Settle | None = None
    """Told of its tokens at its end, where they are limited."""
    time_limit: float | None = None
    """Seconds from `started` that the client allows for the whole answer; None: it said nothing."""
    auth_seconds: float = 0.0
    limit_seconds: float = 0.0
    """Spent on rate limits, and waiting for a place, here or at a provider."""
    waited_seconds: float = 0.0
    """Spent waiting for providers until the answer (its first content, for a stream) was there."""
    answered: float | None = None
    """When the first byte of the answer was ready to go."""
    trace: Trace | None = None
    """None where nothing is traced."""
    ended: float = 0.0
    ended_at: float = 0.0
    """The same as Unix time."""

    def on_deployment(self, deployment: Deployment) -> None:
        """This deployment is tried from now on."""
        self.provider, self.model = deployment.provider, deployment.model[:MAX_NAME]

    def seconds_left(self) -> float | None:
        """What is left of the client's time limit, if it set one."""
        return None if self.time_limit is None else self.time_limit - (time.monotonic() - self.started)

    def attempt_failed(self, deployment: Deployment, error: ProxyError) -> None:
        """One attempt failed; the request may yet be answered."""
        self.failed_attempts = (*self.failed_attempts, (deployment.provider, error.code))
        self.failed_models = (*self.failed_models, deployment.model[:MAX_NAME])
        if self.trace is not None:
            self.trace.failed(error.code)

    def skip(self, deployment: Deployment, reason: str) -> None:
        """This deployment is not asked."""
        self.skipped = (*self.skipped, f"{deployment.provider}: {reason}")

    def failed(self, error: ProxyError) -> None:
        """The request ends, or its stream broke, with this error."""
        self.error_code, self.error_message = error.code, error.message
        if isinstance(error, UpstreamError):
            self.upstream_status = error.upstream_status

    @property
    def operation(self) -> str:
        """What was asked for, in OpenTelemetry's words (gen_ai.operation.name) where it has one."""
        path = self.path.rstrip("/")
        if path.endswith("/chat/completions"):
            return "chat"
        return _OPERATIONS.get(path.rpartition("/")[2], "chat")

    @property
    def time_to_first_token(self) -> float:
        """Seconds until the answer began, whoever was waited for."""
        return (self.answered or self.ended) - self.started

    @property
    def overhead_seconds(self) -> float:
        """What we added until the answer began."""
        added = (self.answered or self.ended) - self.started - self.waited_seconds
        return added if added > 0.0 else 0.0

    def server_timing(self) -> str:
        """The Server-Timing header (durations in milliseconds); `proxy` is all that is not `upstream`."""
        return (
            f"auth;dur={self.auth_seconds * 1e3:.3f}, limit;dur={self.limit_seconds * 1e3:.3f}, "
            f"upstream;dur={self.waited_seconds * 1e3:.3f}, proxy;dur={self.overhead_seconds * 1e3:.3f}"
        )
