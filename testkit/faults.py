"""What a fault of a provider is, when it can happen, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

UNARY, BEFORE, HEARTBEAT, MIDSTREAM = "unary", "before", "heartbeat", "midstream"
PHASES = {
    UNARY: "no stream",
    BEFORE: "stream, before the first content",
    HEARTBEAT: "stream, after a heartbeat",
    MIDSTREAM: "stream, after the first content",
}
EARLY = (UNARY, BEFORE, HEARTBEAT)
"""Before any byte of a model has gone to the client."""


@dataclass(frozen=True)
class Effect:
    """What becomes of a fault that no retry and no fallback mended."""

    status: int
    code: str
    retried: bool = False
    """The same deployment is asked again (`max_retries`)."""
    falls_back: bool = False
    """The next deployment is asked, where there is one."""
    counted: bool = False
    """The circuit breaker counts it."""
    retry_after: str = ""
    """The header that the client gets."""


@dataclass(frozen=True)
class Fault:
    """One fault, and its effect in each phase in which it can happen."""

    name: str
    what: str
    """For people to read."""
    reply: Json = field(default_factory=dict)
    """What the mock answers; empty: nobody answers at the provider's address. In the middle of a stream it is
    how the stream goes on after its first content: `chunks` and `end`."""
    effects: dict[str, Effect] = field(default_factory=dict)
    provider: str = "http"
    """The one of `failure_places.PROVIDERS` that meets it."""
