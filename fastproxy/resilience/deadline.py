"""The four timeouts of an attempt, kept by one lazy timer.

A timer for every chunk of a stream costs more than relaying the chunk: here a chunk costs one assignment,
and a single timer looks now and then whether something has expired. Expiry cancels the task that waits and
comes out of the `with` block as an UpstreamError, the way `asyncio.timeout` does it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any

from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.types import Deployment

CANCEL_AGAIN_SECONDS = 0.1
"""An extension's future that is cancelled in the moment of its result drops the cancellation: whoever wants a
task to end asks again until it has."""


class Watchdog:
    """Guards one attempt. Use it (again, where need be) as the context of whatever waits
    for the provider."""

    __slots__ = (
        "_cancelling",
        "_cancels",
        "_client_at",
        "_client_seconds",
        "_deployment",
        "_expired",
        "_first",
        "_loop",
        "_stream",
        "_task",
        "_timer",
        "_total_at",
        "_waits",
        "since",
    )

    def __init__(
        self,
        deployment: Deployment,
        stream: bool,
        began: float | None = None,
        client_seconds: float | None = None,
        task: asyncio.Task[Any] | None = None,
    ) -> None:
        """`began` is when the request's first attempt began, on the loop's clock: the total time is the
        request's, not the attempt's. `client_seconds` is what the client allows from then on. `task` is who
        waits; None: whoever enters it."""
        self._deployment = deployment
        self._stream = stream
        self._waits = task
        # a task knows its loop; to ask the system costs two calls of the kernel's (Python 3.11)
        self._loop = task.get_loop() if task is not None else asyncio.get_running_loop()
        if began is None:
            began = self._loop.time()
        self._total_at = began + deployment.timeouts.total
        self._client_seconds = client_seconds
        self._client_at = float("inf")
        if client_seconds is not None:
            self._client_at = began + client_seconds
            self._total_at = min(self._total_at, self._client_at)
        self._first = True
        self.since: float | None = None
        """When the provider was last heard; None while a slow client is waited for. Whoever relays sets it:
        a call for each event of a stream would cost more than its search."""
        self._expired: ErrorKind | None = None
        self._cancels = 0

    def __enter__(self) -> Watchdog:
        self._task = self._waits or asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task is not None else 0
        self.since = self._loop.time()
        self._timer = self._loop.call_at(self._next(), self._look)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._expired is None or self._task is None:
            return
        # who cancelled the task beside us (its client has left) has the last word
        for _ in range(self._cancels):
            self._task.uncancel()
        ours_alone = self._task.cancelling() <= self._cancelling
        if ours_alone and kind is not None and issubclass(kind, asyncio.CancelledError | UpstreamError):
            raise self._error(self._expired) from None

    @property
    def now(self) -> Callable[[], float]:
        """The clock that `since` is read from."""
        return self._loop.time

    @property
    def seconds_left(self) -> float:
        """Until the total time is over; no attempt can follow then."""
        return self._total_at - self._loop.time()

    def first_content(self) -> None:
        """The answer has begun: from now on the idle timeout counts."""
        self._first = False
        self.since = self._loop.time()

    def _next(self) -> float:
        limit = self._limit()
        if self.since is None or limit is None:
            return min(self._total_at, self._loop.time() + 1.0) if limit is not None else self._total_at
        return min(self._total_at, self.since + limit)

    def _limit(self) -> float | None:
        if not self._stream:
            return None  # reasoning models answer late: only connect and total apply to a unary request
        timeouts = self._deployment.timeouts
        return timeouts.first_token if self._first else timeouts.idle

    def _look(self) -> None:
        now = self._loop.time()
        limit = self._limit()
        if now >= self._total_at:
            self._expire(ErrorKind.TOTAL_TIMEOUT)
        elif limit is not None and self.since is not None and now >= self.since + limit:
            self._expire(ErrorKind.FIRST_TOKEN_TIMEOUT if self._first else ErrorKind.IDLE_TIMEOUT)
        else:
            self._timer = self._loop.call_at(self._next(), self._look)

    def _expire(self, kind: ErrorKind) -> None:
        self._expired = kind
        if self._task is not None:
            self._task.cancel()
            self._cancels += 1
            self._timer = self._loop.call_later(CANCEL_AGAIN_SECONDS, self._expire, kind)

    def _error(self, kind: ErrorKind) -> ProxyError:
        if kind is ErrorKind.TOTAL_TIMEOUT and self._total_at >= self._client_at:
            # no fault of the provider's: it is neither repeated nor counted
            return ProxyError(
                kind, f"No whole answer within {self._client_seconds:g} s (the header x-fastproxy-timeout)."
            )
        timeouts, name = self._deployment.timeouts, self._deployment.provider
        text = {
            ErrorKind.FIRST_TOKEN_TIMEOUT: f"did not begin to answer within {timeouts.first_token:g} s "
            f"(providers.{name}.first_token_timeout)",
            ErrorKind.IDLE_TIMEOUT: f"fell silent for {timeouts.idle:g} s in the middle of its answer "
            f"(providers.{name}.idle_timeout)",
            ErrorKind.TOTAL_TIMEOUT: f"did not finish within the total time of {timeouts.total:g} s "
            f"(providers.{name}.total_timeout)",
        }
        again = False if kind is ErrorKind.TOTAL_TIMEOUT else None  # no time is left
        return UpstreamError(kind, f"{name} {text[kind]}.", retryable=again)
