"""All metrics: every name, its labels, and what is counted. Names follow OpenTelemetry's GenAI ones.

Label values are bounded whatever a client sends: `model` is the provider's name for it and counts only for
the first 200 different ones (then "other"), never the text of a request.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from fastproxy.observability.record import RequestRecord

MAX_MODELS = 200
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300)
_OVERHEAD = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1)


class _Outcome(NamedTuple):
    """What is counted for one provider, model and status.

    Looking these up by their labels takes a lock and 1 µs each in prometheus_client; once is enough.
    """

    requests: Callable[[], None]
    duration: Callable[[float], None]


class _Answers(NamedTuple):
    """What is counted for the answers of one provider and model."""

    overhead: Callable[[float], None]
    first_token: Callable[[], Histogram]
    """Looked up at each stream: a model that never streamed has no such series."""
    input_tokens: Callable[[float], None]
    output_tokens: Callable[[float], None]


class Metrics:
    """One registry a process; with several workers the files of prometheus_client's multiprocess mode."""

    def __init__(self, *, multiprocess_mode: bool = False) -> None:
        self._registry = registry = CollectorRegistry()
        self._multiprocess = multiprocess_mode
        self._models: set[str] = set()
        self._outcomes: dict[tuple[str, str, int], _Outcome] = {}
        self._answers: dict[tuple[str, str], _Answers] = {}
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
        self.attempt_failures = Counter(
            "fastproxy_attempt_failures",
            "Attempts at a provider that failed, whatever became of their requests.",
            ("provider", "code"),
            registry=registry,
        )
        self.circuits = Gauge(
            "fastproxy_circuit_state",
            "Circuit breakers: 0 closed, 1 half open, 2 open (a deployment that never failed has none).",
            labels,
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.in_flight = Gauge(
            "fastproxy_in_flight", "Requests being answered.", registry=registry, multiprocess_mode="livesum"
        )

    def observe(self, record: RequestRecord) -> None:
        """Counts a finished request."""
        provider = record.provider or "none"
        model = self._model(record.model, answered=record.answered is not None)
        key = (provider, model, record.status)
        counted = self._outcomes.get(key)
        if counted is None:
            counted = self._outcomes[key] = _Outcome(
                self.requests.labels(provider, model, str(record.status)).inc,
                self.duration.labels(provider, model).observe,
            )
        counted.requests()
        counted.duration(record.ended - record.started)
        if record.answered is not None:
            self._observe_answer(record, provider, model)
        if record.error_code:
            self.errors.labels(provider, record.error_code).inc()
        for failed, code in record.failed_attempts:
            self.attempt_failures.labels(failed, code).inc()
        if record.client_gone:
            self.disconnects.labels(provider).inc()

    def circuit(self, provider: str, model: str, state: int) -> None:
        """A circuit's state has changed."""
        self.circuits.labels(provider, self._model(model, answered=True)).set(state)

    def _observe_answer(self, record: RequestRecord, provider: str, model: str) -> None:
        key = (provider, model)
        counted = self._answers.get(key)
        if counted is None:
            counted = self._answers[key] = _Answers(
                self.overhead.labels(provider).observe,
                partial(self._labelled, self.first_token, provider, model),
                self.tokens.labels(provider, model, "input").inc,
                self.tokens.labels(provider, model, "output").inc,
            )
        counted.overhead(record.overhead_seconds)
        if record.stream:
            counted.first_token().observe(record.time_to_first_token)
        if record.usage is not None:
            counted.input_tokens(record.usage.prompt_tokens)
            counted.output_tokens(record.usage.completion_tokens)

    @staticmethod
    def _labelled(metric: Histogram, *labels: str) -> Histogram:
        return metric.labels(*labels)

    def render(self) -> bytes:
        """Prometheus' text format, of all workers where there are several."""
        if not self._multiprocess:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _model(self, model: str, *, answered: bool) -> str:
        if not model or model in self._models:
            return model
        if answered and len(self._models) < MAX_MODELS:  # names nobody serves must not use the places up
            self._models.add(model)
            return model
        return "other"
