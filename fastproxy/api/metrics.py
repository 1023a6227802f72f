"""GET /metrics: Prometheus' text format, with a key or where `server.metrics_open` says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastproxy.auth import Authenticator
from fastproxy.http import HttpRequest, Reply
from fastproxy.observability.metrics import CONTENT_TYPE


def handler(
    render: Callable[[], bytes], authenticator: Authenticator, *, is_open: bool
) -> Callable[[HttpRequest], Awaitable[Reply]]:
    """The handler of /metrics; `render` makes the text."""

    async def prometheus_metrics(request: HttpRequest) -> Reply:
        """All metrics of all workers."""
        if not is_open:
            authenticator.identify(request.headers, request.address)
        return Reply(render(), content_type=CONTENT_TYPE)

    return prometheus_metrics
