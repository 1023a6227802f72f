"""Writes docs/failure-modes.md from the table of failure modes.

python -m testkit.failure_page          (or: make docs)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from testkit.failure_modes import SECTIONS
from testkit.failure_places import PROVIDERS
from testkit.faults import EARLY, PHASES, Effect, Fault

FILE = Path(__file__).resolve().parent.parent / "docs" / "failure-modes.md"

_HEAD = """\
# Failure modes

What a client sees of each fault of a provider, and what the proxy does about it. This page is made from the
table in `testkit/failure_modes.py`, and the tests play every cell of it against real sockets (`make docs`
writes it anew).

- **Status and code** stand in OpenAI's error envelope (Anthropic's on `/v1/messages`). Where the headers of a
  stream have gone out already, the same error comes as its last event, and no `[DONE]` follows.
- **Retried**: the same deployment is asked again, up to `max_retries` times (2), after pauses that double
  from a quarter of a second, with jitter. A `retry-after` of up to 4 s is waited for. Nothing is retried past
  the deadline.
- **Falls back**: then the next deployment is asked, where `[[routes]] fallback` or `[fallback] chain` names
  one and it can do what the request needs. After a heartbeat this still works: no byte of a model is out yet.
- **Counted**: by the circuit breaker of the deployment. After `breaker_failure_threshold` (5) such faults in
  a row it opens for `breaker_recovery_seconds` (30): requests fall back or get 503 `circuit_open` with
  `retry-after` at once. Then one request is the probe. What says nothing about the provider's health moves
  nothing: a client that leaves, a 429, a client's own `x-fastproxy-timeout`. Any other refusal is an answer,
  and begins the count anew.
- **Logged**: each request has one line: `error_code` and `error_message` of what the client got,
  `upstream_status`, `failed_attempts` (provider and code of each, also where a later one succeeded),
  `bytes_out` of a broken stream.

The proxy's own refusals, before any provider is asked:

| what | status | code | `retry-after` |
|---|---|---|---|
| a caller's requests or tokens a minute are used up (`[limits]`) | 429 | rate_limit_exceeded | yes |
| the storage of the limits is away, and `on_failure = "closed"` | 503 | overloaded | 1 |
| `max_in_flight` requests are being answered, the queue is full or slow | 503 | queue_full | 1 |
| a provider's `max_concurrency` is reached likewise, and nobody else may answer | 503 | queue_full | 1 |
| the circuit is open, and nobody else may answer | 503 | circuit_open | until a probe may go |
| the proxy shuts down | 503 | draining | 1 |
| the client's own `x-fastproxy-timeout` is over | 504 | total_timeout | |
"""


def render() -> str:
    """The page."""
    lines = [_HEAD]
    for title, faults in SECTIONS.items():
        lines += [
            f"## {title}\n",
            "| fault | provider | when | status | code | retried | falls back | counted |",
            "|---|---|---|---|---|---|---|---|",
            *(row for fault in faults for row in _rows(fault)),
            "",
        ]
    return "\n".join(lines)


def _rows(fault: Fault) -> Iterator[str]:
    by_effect: dict[Effect, list[str]] = {}
    for phase, effect in fault.effects.items():
        by_effect.setdefault(effect, []).append(phase)
    what = f"{fault.name}: {fault.what}" if fault.name.isdecimal() else fault.what
    for effect, phases in by_effect.items():
        marks = " | ".join(
            "yes" if mark else "no" for mark in (effect.retried, effect.falls_back, effect.counted)
        )
        when = (
            "before any content" if tuple(phases) == EARLY else "; ".join(PHASES[phase] for phase in phases)
        )
        place = PROVIDERS[fault.provider].title
        title = "HTTP" if place in ("the same", PROVIDERS["http"].title) else place
        yield f"| {what} | {title} | {when} | {effect.status} | {effect.code} | {marks} |"


if __name__ == "__main__":
    FILE.write_text(render(), "utf-8")
