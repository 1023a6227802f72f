"""Spans of finished requests, exported by OpenTelemetry's SDK: one a request, a child for each attempt.

Only who traces imports this file. The spans are made by the journal, off the path of the request; their ids
were chosen on it, because the providers had to be told of them. Source of the names: OpenTelemetry's semantic
conventions for HTTP and for generative AI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from fastproxy import __version__
from fastproxy.observability.record import MAX_NAME, RequestRecord
from fastproxy.observability.trace import Trace, Try

EXPORT_SECONDS = 5.0
"""How long an export may take."""
_NANOSECONDS = 1_000_000_000


class _GivenIds(IdGenerator):
    """Hands out the ids that the path of the request has chosen."""

    trace_id = span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class Tracing:
    """Exports spans. Must be closed."""

    def __init__(self, endpoint: str, headers: Mapping[str, str], service_name: str) -> None:
        self._ids = _GivenIds()
        resource = Resource.create({"service.name": service_name, "service.version": __version__})
        # whether a request is sampled is decided when it begins
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(
            endpoint=f"{endpoint}/v1/traces", headers=dict(headers), timeout=EXPORT_SECONDS
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("fastproxy", __version__)

    def export(self, records: Sequence[RequestRecord]) -> None:
        """Makes the spans of these finished requests; a thread of the SDK's sends them."""
        for record in records:
            trace = record.trace
            if trace is not None and trace.is_sampled:
                self._export(record, trace)

    def _export(self, record: RequestRecord, trace: Trace) -> None:
        ended = int(record.ended_at * _NANOSECONDS)
        began = ended - int((record.ended - record.started) * _NANOSECONDS)
        parent = Context() if trace.parent_id is None else _inside(trace.trace_id, trace.parent_id)
        self._ids.trace_id, self._ids.span_id = trace.trace_id, trace.span_id
        name = f"{record.method} {record.path[:MAX_NAME]}"
        span = self._tracer.start_span(
            name, parent, SpanKind.SERVER, _request_attributes(record), start_time=began
        )
        if record.error_code:
            span.set_status(Status(StatusCode.ERROR, record.error_code))
        for attempt in trace.tries:
            self._export_attempt(record, trace, attempt, ended)
        span.end(ended)

    def _export_attempt(self, record: RequestRecord, trace: Trace, attempt: Try, ended: int) -> None:
        is_last = attempt.ended is None
        self._ids.span_id = attempt.span_id
        span = self._tracer.start_span(
            f"{record.operation} {attempt.model[:MAX_NAME]}",
            _inside(trace.trace_id, trace.span_id),
            SpanKind.CLIENT,
            _attempt_attributes(record, attempt, is_last),
            start_time=attempt.began,
        )
        error_code = record.error_code if is_last else attempt.error_code
        if error_code:
            span.set_status(Status(StatusCode.ERROR, error_code))
        span.end(attempt.ended or ended)

    def close(self) -> None:
        """Sends what is left. The end of the process does not wait for a collector that is silent."""
        self._provider.shutdown()


def _inside(trace_id: int, span_id: int) -> Context:
    parent = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _request_attributes(record: RequestRecord) -> dict[str, Any]:
    told = {
        "http.request.method": record.method,
        "url.path": record.path[:MAX_NAME],
        "http.response.status_code": record.status,
        "gen_ai.operation.name": record.operation,
        "gen_ai.request.model": record.asked_model[:MAX_NAME],
        "error.type": record.error_code,
        "fastproxy.request_id": record.id,
        "fastproxy.caller": record.caller,
        "fastproxy.attempts": record.attempts,
        "fastproxy.client_gone": record.client_gone,
        "fastproxy.overhead": record.overhead_seconds,
    }
    return _known(told) | _answer_attributes(record)


def _attempt_attributes(record: RequestRecord, attempt: Try, is_last: bool) -> dict[str, Any]:
    told = {
        "gen_ai.operation.name": record.operation,
        "gen_ai.provider.name": attempt.provider,
        "gen_ai.request.model": attempt.model[:MAX_NAME],
        "gen_ai.request.stream": record.stream,
        "error.type": record.error_code if is_last else attempt.error_code,
    }
    return _known(told) | (_answer_attributes(record) if is_last else {})


def _answer_attributes(record: RequestRecord) -> dict[str, Any]:
    if record.answered is None:
        return {}
    usage = record.usage
    told = {
        "gen_ai.provider.name": record.provider,
        "gen_ai.response.model": record.model,
        "gen_ai.response.finish_reasons": [record.finish] if record.finish else None,
        "gen_ai.response.time_to_first_chunk": record.time_to_first_token if record.stream else None,
        "gen_ai.usage.input_tokens": usage.prompt_tokens if usage else None,
        "gen_ai.usage.output_tokens": usage.completion_tokens if usage else None,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens if usage else None,
    }
    return _known(told)


def _known(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value not in (None, "", False)}
