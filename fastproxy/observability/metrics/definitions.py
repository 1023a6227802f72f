"""Every metric there is: its name, type, labels, and in words what it says. No other file names one.

Names and buckets are those of OpenTelemetry's GenAI conventions where these have one (opentelemetry.io,
"Semantic conventions for generative AI metrics"), spelt as Prometheus wants it; all others begin with
`fastproxy_`. Labels are bounded whatever a client sends: providers are the configured ones, models the first
200 that have answered (then "other"), codes those of the error table (else "other"); callers are no label.
"""

from __future__ import annotations

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge

from fastproxy.observability.metrics.series import BatchHistogram

MAX_MODELS = 200
TOKEN_PARTS = ("cached", "cache_write", "reasoning")


class Definition(NamedTuple):
    """One metric, by the name under which Prometheus shows it."""

    name: str
    type: str
    """counter | gauge | histogram"""
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    across: str = ""
    """How the gauges of several workers become one: livesum, livemax, livemin, livemostrecent."""


def counter(definition: Definition, registry: CollectorRegistry) -> Counter:
    """The counter of this definition."""
    return Counter(definition.name, definition.help, definition.labels, registry=registry)


def gauge(definition: Definition, registry: CollectorRegistry) -> Gauge:
    """The gauge of this definition."""
    name, _, text, labels, _, across = definition
    return Gauge(name, text, labels, registry=registry, multiprocess_mode=across)  # type: ignore[arg-type]


def histogram(definition: Definition, registry: CollectorRegistry) -> BatchHistogram:
    """The histogram of this definition."""
    name, _, text, labels, buckets, _ = definition
    return BatchHistogram(name, text, labels, buckets=buckets, registry=registry)


_GEN_AI = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
_OVERHEAD = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1)

# --- counted at the end of a request, from its record ---

DURATION = Definition(
    "gen_ai_client_operation_duration_seconds",
    "histogram",
    "Requests for which a provider was asked: from the request's arrival to the last byte of its answer.",
    _GEN_AI,  # record.ended - record.started
    (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
)
TOKEN_USAGE = Definition(
    "gen_ai_client_token_usage",
    "histogram",
    "Tokens of a request by gen_ai_token_type, input or output, as the provider counts them; the sum is all.",
    (*_GEN_AI, "gen_ai_token_type"),  # usage.prompt_tokens, usage.completion_tokens
    (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864),
)
FIRST_TOKEN = Definition(
    "gen_ai_server_time_to_first_token_seconds",
    "histogram",
    "Streams: from the request's arrival to the first content of its answer.",
    _GEN_AI,  # record.answered - record.started
    (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)
OUTPUT_TOKEN = Definition(
    "gen_ai_server_time_per_output_token_seconds",
    "histogram",
    "Good streams of two tokens and more: the time after the first content, for each token after the first.",
    _GEN_AI,  # (record.ended - record.answered) / (usage.completion_tokens - 1)
    (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5),
)
REQUESTS = Definition(
    "fastproxy_requests_total",
    "counter",
    "Requests by outcome; 499: the client left first. The provider is `none` where none was asked.",
    ("provider", "model", "status"),
)
ERRORS = Definition(
    "fastproxy_errors_total",
    "counter",
    "Requests that ended with an error, by its code.",
    ("provider", "code"),
)
TOKEN_DETAILS = Definition(
    "fastproxy_token_details_total",
    "counter",
    "Parts of the tokens: `cached` and `cache_write` of the input, `reasoning` of the output.",
    ("provider", "model", "type"),
)
OVERHEAD = Definition(
    "fastproxy_overhead_seconds",
    "histogram",
    "What the proxy itself added until an answer began, its queues and limits among it.",
    ("provider",),  # record.answered - record.started - record.waited_seconds
    _OVERHEAD,
)
DISCONNECTS = Definition(
    "fastproxy_client_disconnects_total",
    "counter",
    "Clients that left before the end of their answer.",
    ("provider",),
)
LIMIT_REJECTIONS = Definition(
    "fastproxy_rate_limit_rejections_total",
    "counter",
    "Requests refused by our own rate limits.",
)
ATTEMPT_FAILURES = Definition(
    "fastproxy_attempt_failures_total",
    "counter",
    "Attempts at a provider that failed, whatever became of their requests, by the error's code.",
    ("provider", "code"),
)
RETRIES = Definition(
    "fastproxy_retries_total",
    "counter",
    "Attempts repeated at the same model of the same provider.",
    ("provider",),
)
FALLBACKS = Definition(
    "fastproxy_fallbacks_total",
    "counter",
    "Requests that went on to another model after this provider's had failed; `to` is its provider.",
    ("provider", "to"),
)

# --- looked at once a second, by every worker for itself ---

IN_FLIGHT = Definition(
    "fastproxy_in_flight", "gauge", "Requests being answered, those that wait among them.", across="livesum"
)
WAITING = Definition(
    "fastproxy_waiting",
    "gauge",
    "Requests that wait for a place in the proxy (server.max_in_flight).",
    across="livesum",
)
PROVIDER_IN_FLIGHT = Definition(
    "fastproxy_provider_in_flight",
    "gauge",
    "Requests that a provider with max_concurrency answers now.",
    ("provider",),
    across="livesum",
)
PROVIDER_WAITING = Definition(
    "fastproxy_provider_waiting",
    "gauge",
    "Requests that wait for a place at a provider (max_concurrency).",
    ("provider",),
    across="livesum",
)
CIRCUIT_STATE = Definition(
    "fastproxy_circuit_state",
    "gauge",
    "Circuit breakers, the worst of all workers: 0 closed, 1 half open, 2 open. One that was never open has "
    "no series; models that never answered share `other`.",
    ("provider", "model"),
    across="livemax",
)
CREDENTIAL_AGE = Definition(
    "fastproxy_credential_age_seconds",
    "gauge",
    "Since a provider's token was last renewed, the oldest of all workers'.",
    ("provider",),
    across="livemax",
)
CREDENTIAL_LEFT = Definition(
    "fastproxy_credential_expires_in_seconds",
    "gauge",
    "Until a provider's token ends, the soonest of all workers'; below 0: it has ended.",
    ("provider",),
    across="livemin",
)
BRIDGE_UP = Definition(
    "fastproxy_bridge_up",
    "gauge",
    "Whether the bridge to the claude CLI takes requests.",
    ("provider",),
    across="livemostrecent",
)
BRIDGE_PROCESSES = Definition(
    "fastproxy_bridge_processes",
    "gauge",
    "The bridge's claude processes by state: busy, idle (warm) or starting.",
    ("provider", "state"),
    across="livemostrecent",
)
BRIDGE_WAITING = Definition(
    "fastproxy_bridge_waiting",
    "gauge",
    "Requests that wait in the bridge for a claude process.",
    ("provider",),
    across="livemostrecent",
)
BRIDGE_SPAWNED = Definition(
    "fastproxy_bridge_spawned",
    "gauge",
    "claude processes that the bridge has started since its own start; it begins anew with it.",
    ("provider",),
    across="livemostrecent",
)
LOOP_LAG = Definition(
    "fastproxy_event_loop_lag_seconds",
    "gauge",
    "How late the latest of these looks was, in the worker that is worst off.",
    across="livemax",
)
MEMORY = Definition(
    "fastproxy_resident_memory_bytes", "gauge", "Resident memory of all workers.", across="livesum"
)
CPU = Definition("fastproxy_cpu_seconds_total", "counter", "CPU time of all workers.")
COLLECTIONS = Definition(
    "fastproxy_gc_collections_total", "counter", "Garbage collections of all workers.", ("generation",)
)
WORKERS = Definition("fastproxy_workers", "gauge", "Worker processes that are alive.", across="livesum")
WORKER_DEATHS = Definition(
    "fastproxy_worker_deaths_total", "counter", "Worker processes that died and were replaced."
)
BUILD = Definition("fastproxy_build_info", "gauge", "Always 1.", ("version", "python"), across="livemax")

DEFINITIONS = tuple(value for value in list(globals().values()) if isinstance(value, Definition))
"""All of them, in the order in which they stand here and in the documentation."""
