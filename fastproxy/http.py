"""The nouns at the front door: what a handler gets, what it may return, and where a stream is written."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from fastproxy.types import Headers

if TYPE_CHECKING:
    import asyncio

JSON = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"


@dataclass(slots=True)
class HttpRequest:
    """One request, its body read whole (and bounded)."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case; of a repeated header the last value."""
    body: bytes
    query: str = ""
    """As sent, without the question mark."""
    path_params: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    """The peer's IP address."""
    id: str = ""
    """The client's own x-request-id where it is sane, else ours."""
    body_limit: int = 32 * 1024 * 1024
    """`server.max_body_bytes`: holds for the body as sent, and again once it is inflated."""
    task: asyncio.Task[Any] | None = None
    """What answers it; None: whoever calls the handler."""
    timing: str = ""
    """Where the time went (Server-Timing), once it has ended with an error."""


@dataclass(slots=True)
class Reply:
    """A whole answer."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Headers = ()


class Sink(Protocol):
    """Where a streamed answer is written. `write` waits while the client does not read."""

    started: bool

    async def start(self, headers: Headers, *, status: int = 200, content_type: str = EVENT_STREAM) -> None:
        """Sends status and headers."""
        ...

    def write(self, data: bytes) -> Awaitable[None]:
        """Sends these bytes; to be awaited: it returns when there is room for more."""
        ...


class StreamReply(Protocol):
    """An answer that is made while it is sent."""

    async def run(self, sink: Sink) -> None:
        """Writes the whole answer. A ProxyError raised before `sink.start` becomes an ordinary error."""
        ...
