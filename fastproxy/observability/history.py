"""What the status page shows of the past: two minutes, second by second, and the last requests.

Fed by the journal, off the path. Its memory is bounded whatever happens, it holds no content, and a second
is summed up once, when it has passed: looking at it costs little.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastproxy.errors import ErrorKind
from fastproxy.observability.record import MAX_NAME, RequestRecord

SECONDS = 120
REQUESTS = 200
SAMPLES = 1000
"""Times of one second that its percentiles are taken from; of more, the last ones."""
MAX_MESSAGE = 500
"""Characters of a provider's last error."""

_OUR_OWN = (ErrorKind.CIRCUIT_OPEN, ErrorKind.QUEUE_FULL, ErrorKind.DRAINING)
FAULTS = frozenset(
    kind.value.code
    for kind in ErrorKind
    if kind not in _OUR_OWN and (kind.value.status == 429 or kind.value.status > 500)
)
"""Codes that tell something of a provider; the others tell of the request, or of us."""


class Second(NamedTuple):
    """One second of the past: its requests by their end. Times are None where there were none."""

    requests: int = 0
    errors: int = 0
    overhead_p50_ms: float | None = None
    overhead_p99_ms: float | None = None
    first_token_p50_ms: float | None = None
    """Streams only."""
    first_token_p99_ms: float | None = None


class Seen(NamedTuple):
    """One finished request."""

    id: str
    at: float
    """Unix time of its end."""
    path: str
    caller: str
    model: str
    """As it was asked for."""
    provider: str
    provider_model: str
    stream: bool
    status: int
    error_code: str
    client_gone: bool
    attempts: int
    duration_ms: float
    first_token_ms: float | None
    """Streams only."""
    overhead_ms: float | None
    input_tokens: int | None
    output_tokens: int | None


@dataclass(slots=True)
class _Running:
    """The second that has not passed yet."""

    second: int = 0
    requests: int = 0
    errors: int = 0
    overhead: list[float] = field(default_factory=list)
    first_token: list[float] = field(default_factory=list)

    def add(self, record: RequestRecord) -> None:
        if record.answered is not None:
            _sample(self.overhead, record.overhead_seconds, self.requests)
            if record.stream:
                _sample(self.first_token, record.time_to_first_token, self.requests)
        self.requests += 1
        if record.error_code:
            self.errors += 1

    def summed_up(self) -> Second:
        return Second(
            self.requests, self.errors, *_percentiles_ms(self.overhead), *_percentiles_ms(self.first_token)
        )


class History:
    """The past of one process."""

    def __init__(self) -> None:
        self._running = _Running()
        self._passed: deque[tuple[int, Second]] = deque(maxlen=SECONDS)
        self._requests: deque[RequestRecord] = deque(maxlen=REQUESTS)
        self._faults: dict[str, dict[str, Any]] = {}

    def __repr__(self) -> str:
        return f"<History seconds={len(self._passed)} requests={len(self._requests)}>"

    def add(self, records: Sequence[RequestRecord]) -> None:
        """Takes finished requests, in the order of their ends."""
        for record in records:
            if record.ended >= self._running.second + 1:
                self._turn(int(record.ended))
            self._running.add(record)
            if record.error_code or record.failed_attempts:
                self._note_faults(record)
        self._requests.extend(records[-REQUESTS:])

    def seconds(self, now: float) -> dict[str, list[Any]]:
        """The last SECONDS whole seconds until `now` (monotonic), the oldest first: a list for each field."""
        end = int(now)
        self._turn(end)
        passed = dict(self._passed)
        told = [passed.get(second, _QUIET) for second in range(end - SECONDS, end)]
        return dict(zip(Second._fields, map(list, zip(*told, strict=True)), strict=True))

    def requests(self, limit: int, caller: str | None = None) -> list[dict[str, Any]]:
        """The last requests, the newest first; of one caller where that is named."""
        chosen = [record for record in reversed(self._requests) if caller in (None, record.caller)]
        return [_rounded(_seen(record)) for record in chosen[:limit]]

    def faults(self) -> dict[str, dict[str, Any]]:
        """Each provider's last error, where it had one: code, message ("": not known), model, at."""
        return {name: dict(fault) for name, fault in self._faults.items()}

    def _turn(self, second: int) -> None:
        running = self._running
        if second <= running.second:
            return
        if running.requests:
            self._passed.append((running.second, running.summed_up()))
        self._running = _Running(second)

    def _note_faults(self, record: RequestRecord) -> None:
        failed = dict(record.failed_attempts)
        if record.status == 200:  # its stream broke
            failed[record.provider] = record.error_code
        for provider, code in failed.items():
            if code in FAULTS:
                is_final = provider == record.provider and code == record.error_code
                self._faults[provider] = {
                    "code": code,
                    "message": record.error_message[:MAX_MESSAGE] if is_final else "",
                    "model": record.asked_model[:MAX_NAME],
                    "at": record.ended_at,
                }


_QUIET = Second()


def _sample(samples: list[float], value: float, count: int) -> None:
    if len(samples) < SAMPLES:
        samples.append(value)
    else:
        samples[count % SAMPLES] = value


def _percentiles_ms(samples: list[float]) -> tuple[float | None, float | None]:
    """P50 and P99 in milliseconds."""
    if not samples:
        return None, None
    ordered = sorted(samples)
    middle, late = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    return round(middle * 1e3, 3), round(late * 1e3, 3)


def _rounded(seen: Seen) -> dict[str, Any]:
    told = seen._asdict()
    for name in ("at", "duration_ms", "first_token_ms", "overhead_ms"):
        if told[name] is not None:
            told[name] = round(told[name], 3)
    return told


def _seen(record: RequestRecord) -> Seen:
    usage = record.usage
    return Seen(
        record.id,
        record.ended_at,
        record.path[:MAX_NAME],
        record.caller,
        record.asked_model[:MAX_NAME],
        record.provider,
        record.model,
        record.stream,
        record.status,
        record.error_code,
        record.client_gone,
        record.attempts,
        (record.ended - record.started) * 1e3,
        (record.answered - record.started) * 1e3 if record.answered is not None and record.stream else None,
        record.overhead_seconds * 1e3 if record.answered is not None else None,
        usage.prompt_tokens if usage else None,
        usage.completion_tokens if usage else None,
    )
