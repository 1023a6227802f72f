"""What is counted at the end of requests, from their records alone. Runs in the journal, off the path.

Whatever has to do with a lock or a lookup by labels (1 µs each in prometheus_client, 2 µs with several
workers) is done once for all requests of a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from prometheus_client import CollectorRegistry, Counter

from fastproxy.errors import ErrorKind
from fastproxy.observability.metrics import definitions
from fastproxy.observability.metrics.definitions import counter, histogram
from fastproxy.observability.metrics.labels import Labels, code
from fastproxy.observability.metrics.series import BatchHistogram, Series
from fastproxy.observability.record import RequestRecord
from fastproxy.wire.events import Usage

NOBODY = "none"
"""The provider of requests that reached none."""
_LIMITED = ErrorKind.RATE_LIMITED.value.code

Place = tuple[str, str, str]
"""Operation, provider, model: whose requests are counted together, apart from their outcome."""


class Counting:
    """The counters and histograms of requests."""

    def __init__(self, registry: CollectorRegistry, labels: Labels) -> None:
        self._labels = labels
        self._places: dict[Place, _Counted] = {}
        self.requests = counter(definitions.REQUESTS, registry)
        self.duration = histogram(definitions.DURATION, registry)
        self.token_usage = histogram(definitions.TOKEN_USAGE, registry)
        self.token_details = counter(definitions.TOKEN_DETAILS, registry)
        self.first_token = histogram(definitions.FIRST_TOKEN, registry)
        self.output_token = histogram(definitions.OUTPUT_TOKEN, registry)
        self.overhead = histogram(definitions.OVERHEAD, registry)
        self._errors = counter(definitions.ERRORS, registry)
        self._disconnects = counter(definitions.DISCONNECTS, registry)
        self._limit_rejections = counter(definitions.LIMIT_REJECTIONS, registry)
        self._attempt_failures = counter(definitions.ATTEMPT_FAILURES, registry)
        self._retries = counter(definitions.RETRIES, registry)
        self._fallbacks = counter(definitions.FALLBACKS, registry)

    def observe(self, records: Sequence[RequestRecord]) -> None:
        """Counts finished requests."""
        used: set[_Counted] = set()
        for record in records:
            answered = record.answered is not None
            model = self._labels.model(record.model, answered=answered)
            place = (record.operation, record.provider, model)
            counted = self._places.get(place)
            if counted is None:
                counted = self._places[place] = _Counted(self, place)
            counted.add(record)
            used.add(counted)
            if record.error_code:
                self._count_error(record)
            if record.failed_attempts:
                self._count_attempts(record)
            if record.client_gone:
                self._disconnects.labels(record.provider or NOBODY).inc()
        for counted in used:
            counted.tell()

    def _count_error(self, record: RequestRecord) -> None:
        self._errors.labels(record.provider or NOBODY, code(record.error_code)).inc()
        if record.error_code == _LIMITED and not record.provider:  # a provider's own limits are not ours
            self._limit_rejections.inc()

    def _count_attempts(self, record: RequestRecord) -> None:
        for provider, fault in record.failed_attempts:
            self._attempt_failures.labels(provider, code(fault)).inc()
        providers = [provider for provider, _ in record.failed_attempts]
        asked = list(zip(providers, record.failed_models, strict=True))
        if record.answered is not None:
            asked.append((record.provider, record.model))
        for before, after in pairwise(asked):
            if before == after:
                self._retries.labels(before[0]).inc()
            else:
                self._fallbacks.labels(before[0], after[0]).inc()


class _Counted:
    """All series of one place."""

    def __init__(self, all_: Counting, place: Place) -> None:
        _, provider, model = place
        self._asked = bool(provider)
        self._statuses: dict[int, int] = {}
        self._requests: Callable[[int], Counter] = lambda status: all_.requests.labels(
            provider or NOBODY, model, str(status)
        )
        self._details: dict[str, int] = {}
        self._detail: Callable[[str], Counter] = lambda kind: all_.token_details.labels(provider, model, kind)

        def series(metric: BatchHistogram, *labels: str) -> Series:
            return Series(lambda: metric.labels(*labels))

        self._series = (
            series(all_.duration, *place),
            series(all_.overhead, provider),
            series(all_.token_usage, *place, "input"),
            series(all_.token_usage, *place, "output"),
            series(all_.first_token, *place),
            series(all_.output_token, *place),
        )
        self._duration, self._overhead, self._input, self._output, self._first, self._next = (
            one.waiting.append for one in self._series
        )

    def add(self, record: RequestRecord) -> None:
        """Takes one request of this place."""
        self._statuses[record.status] = self._statuses.get(record.status, 0) + 1
        if not self._asked:
            return
        self._duration(record.ended - record.started)
        if record.answered is None:
            return
        self._overhead(record.overhead_seconds)
        usage = record.usage
        if usage is not None:
            self._add_tokens(usage)
        if record.stream:
            self._first(record.answered - record.started)
            is_whole = not (record.error_code or record.client_gone)
            if is_whole and usage is not None and usage.completion_tokens > 1:
                self._next((record.ended - record.answered) / (usage.completion_tokens - 1))

    def _add_tokens(self, usage: Usage) -> None:
        self._input(usage.prompt_tokens)
        if usage.completion_tokens:
            self._output(usage.completion_tokens)
        if usage.cached_tokens or usage.cache_write_tokens or usage.reasoning_tokens:
            parts = (usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens)
            for kind, tokens in zip(definitions.TOKEN_PARTS, parts, strict=True):
                if tokens:
                    self._details[kind] = self._details.get(kind, 0) + tokens

    def tell(self) -> None:
        """Counts what was taken since."""
        statuses, self._statuses = self._statuses, {}
        for status, requests in statuses.items():
            self._requests(status).inc(requests)
        details, self._details = self._details, {}
        for kind, tokens in details.items():
            self._detail(kind).inc(tokens)
        for series in self._series:
            series.tell()
