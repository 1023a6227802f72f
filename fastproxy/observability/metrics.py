"""All metrics: every name, its labels, and what is counted. Names follow OpenTelemetry's GenAI ones.

Label values are bounded whatever a client sends: `model` is the provider's name for it and counts only for
the first 200 different ones (then "other"), never the text of a request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from fastproxy.observability.record import RequestRecord

MAX_MODELS = 200
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300)
_OVERHEAD = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1)


class Metrics:
    """One registry a process; with several workers the files of prometheus_client's multiprocess mode."""

    def __init__(self, *, multiprocess_mode: bool = False) -> None:
        self._registry = registry = CollectorRegistry()
        self._multiprocess = multiprocess_mode
        self._models: set[str] = set()
        self._children: dict[tuple[Any, ...], Any] = {}
        labels = ("provider", "model")
        self.requests = Counter(
            "fastproxy_requests", "Requests by outcome.", (*labels, "status"), registry=registry
        )
        self.errors = Counter("fastproxy_errors", "Errors by code.", ("provider", "code"), registry=registry)
        self.tokens = Counter("fastproxy_tokens", "Tokens by type.", (*labels, "type"), registry=registry)
        self.duration = Histogram(
            "gen_ai_server_request_duration_seconds",
            "From the first byte of a request to the last of its answer.",
            labels,
            buckets=_SECONDS,
            registry=registry,
        )
        self.first_token = Histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "From the first byte of a request to the first of its answer's content (streams).",
            labels,
            buckets=_SECONDS,
            registry=registry,
        )
        self.overhead = Histogram(
            "fastproxy_overhead_seconds",
            "What the proxy itself added until the answer began.",
            ("provider",),
            buckets=_OVERHEAD,
            registry=registry,
        )
        self.disconnects = Counter(
            "fastproxy_client_disconnects",
            "Clients that left before the end.",
            ("provider",),
            registry=registry,
        )
        self.in_flight = Gauge(
            "fastproxy_in_flight", "Requests being answered.", registry=registry, multiprocess_mode="livesum"
        )

    def observe(self, record: RequestRecord) -> None:
        """Counts a finished request."""
        provider, model = record.provider or "none", self._model(record.model)
        self._child(self.requests, provider, model, str(record.status)).inc()
        self._child(self.duration, provider, model).observe(record.ended - record.started)
        if record.error_code:
            self._child(self.errors, provider, record.error_code).inc()
        if record.client_gone:
            self._child(self.disconnects, provider).inc()
        if record.answered is not None:
            self._child(self.overhead, provider).observe(record.overhead_seconds)
            if record.stream:
                self._child(self.first_token, provider, model).observe(record.time_to_first_token)
        if record.usage is not None:
            self._child(self.tokens, provider, model, "input").inc(record.usage.prompt_tokens)
            self._child(self.tokens, provider, model, "output").inc(record.usage.completion_tokens)

    def render(self) -> bytes:
        """Prometheus' text format, of all workers where there are several."""
        if not self._multiprocess:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _model(self, model: str) -> str:
        if model in self._models:
            return model
        if len(self._models) < MAX_MODELS:
            self._models.add(model)
            return model
        return "other"

    def _child(self, metric: Any, *labels: str) -> Any:
        # looking a child up by its labels takes a lock and 1 µs in prometheus_client; a dict takes 0.1
        key = (metric, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child


Observe = Callable[[RequestRecord], None]
