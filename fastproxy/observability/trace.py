"""The trace of one request, as far as the path of the request has to do with it: ids, and who was asked when.

Spans are made of it when the request is over (`tracing.py`), off the path. Source: W3C Trace Context.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastproxy.types import Deployment, Headers

_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAMPLED = 1


@dataclass(slots=True)
class Try:
    """One attempt at a deployment. Times are Unix time in nanoseconds."""

    span_id: int
    provider: str
    model: str
    began: int
    ended: int | None = None
    """None: it was the last, and ended with the request."""
    error_code: str = ""


@dataclass(slots=True)
class Trace:
    """Of one request."""

    trace_id: int
    parent_id: int | None
    """The client's span."""
    is_sampled: bool
    span_id: int = field(default_factory=lambda: _random_id(64))
    tries: list[Try] = field(default_factory=list)

    @classmethod
    def begin(cls, headers: Mapping[str, str], sample_ratio: float) -> Trace:
        """Goes on with the client's trace, where it sent one; it decides then whether it is sampled."""
        told = _PARENT.fullmatch(headers.get("traceparent", ""))
        if told is None or not int(told[1], 16) or not int(told[2], 16):
            return cls(_random_id(128), None, random.random() < sample_ratio)  # noqa: S311 - no secret
        return cls(int(told[1], 16), int(told[2], 16), bool(int(told[3], 16) & _SAMPLED))

    def attempt(self, deployment: Deployment, headers: Headers) -> Headers:
        """The headers with which this deployment is asked: its own span is the parent of what it does."""
        span_id = _random_id(64)
        self.tries.append(Try(span_id, deployment.provider, deployment.model, time.time_ns()))
        parent = f"00-{self.trace_id:032x}-{span_id:016x}-{int(self.is_sampled):02x}"
        # the client's state says nothing of a trace that is not its own
        ours = ("traceparent",) if self.parent_id is not None else ("traceparent", "tracestate")
        return (*(pair for pair in headers if pair[0] not in ours), ("traceparent", parent))

    def failed(self, error_code: str) -> None:
        """The attempt that was made last is over, by this error."""
        if self.tries and self.tries[-1].ended is None:  # else nobody was asked this time
            self.tries[-1].ended, self.tries[-1].error_code = time.time_ns(), error_code


def _random_id(bits: int) -> int:
    return random.getrandbits(bits) or 1
