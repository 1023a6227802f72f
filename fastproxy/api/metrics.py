"""GET /metrics: Prometheus' text format, with a key or where `server.metrics_open` says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastproxy.auth import Authenticator
from fastproxy.http import HttpRequest, Reply
from fastproxy.observability.metrics import CONTENT_TYPE, Metrics
from fastproxy.pipeline import Pipeline


def handler(
    metrics: Metrics, pipeline: Pipeline, authenticator: Authenticator, *, is_open: bool
) -> Callable[[HttpRequest], Awaitable[Reply]]:
    """The handler of /metrics."""

    async def prometheus_metrics(request: HttpRequest) -> Reply:
        """All metrics of all workers."""
        if not is_open:
            authenticator.identify(request.headers, request.address)
        metrics.in_flight.set(pipeline.in_flight)
        return Reply(metrics.render(), content_type=CONTENT_TYPE)

    return prometheus_metrics
