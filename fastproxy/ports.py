"""What the pipeline needs of the objects around it: tests put others in their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fastproxy.http import HttpRequest
from fastproxy.observability.record import Settle
from fastproxy.types import Caller, ChatRequest, Headers, Route
from fastproxy.wire.events import Carry


class Remembering(Protocol):
    """The part of `continuity.py` that a request needs."""

    def needs_restore(self, request: ChatRequest) -> bool:
        """Whether anything could be remembered for it; costs next to nothing."""
        ...

    async def restore(self, request: ChatRequest, caller: Caller) -> ChatRequest:
        """The request with what the client dropped."""
        ...

    async def keep(self, caller: Caller, carries: Sequence[Carry]) -> None:
        """Remembers what the next request will need."""
        ...


class Reserved(Protocol):
    """What a request took of its caller's limits."""

    @property
    def headers(self) -> Headers:
        """What the client is told of them."""
        ...

    @property
    def settle(self) -> Settle:
        """To be called with the true tokens."""
        ...


class Limiting(Protocol):
    """The part of `limits` that a request needs."""

    async def reserve(
        self, caller: Caller, http: HttpRequest, route: Route, max_output_tokens: int | None
    ) -> Reserved:
        """Takes a request and its tokens; raises ProxyError 429 or 503."""
        ...
