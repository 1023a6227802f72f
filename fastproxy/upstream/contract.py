"""What the path of a request needs of the way out; tests put a fake here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from fastproxy.types import Deployment, Headers, UpstreamRequest


class UpstreamResponse(Protocol):
    """An answer whose headers are in and whose body is read piece by piece. Must be closed."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers."""
        ...

    async def read_chunk(self) -> bytes | None:
        """The next piece as it came off the wire, None at the end. Raises UpstreamError."""
        ...

    async def read_all(self, limit: int) -> bytes:
        """The rest of the body. Raises UpstreamError where it breaks or is larger than `limit` bytes."""
        ...

    async def aclose(self) -> None:
        """Gives the connection back, or drops it where the body was not read to its end. Idempotent."""
        ...


class Upstream(Protocol):
    """Sends requests to providers."""

    async def send(
        self,
        request: UpstreamRequest,
        deployment: Deployment,
        more_headers: Headers = (),
        *,
        stream: bool = False,
    ) -> UpstreamResponse:
        """Sends the request; returns when the headers are in. Raises UpstreamError.

        `stream`: every piece of the body is to be handed on as it comes.
        """
        ...
