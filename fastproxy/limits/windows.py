"""Sliding windows: what was counted a minute ago counts less and less; no edge lets twice as many pass.

It is the sliding window counter of the library `limits`, which costs the same whatever the amount is. In
memory it is counted here: for every hit the library starts a task that looks at every key (20 microseconds
for each limit with ten callers, and more with each caller).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from fastproxy.limits.rules import Limit

WINDOW_SECONDS = 60.0
MAX_WINDOWS = 100_000
"""Addresses are anybody's to choose: beyond so many, those that began longest ago are forgotten."""


class Counts(NamedTuple):
    """What is counted of one limit."""

    previous: int
    """In the window before this one."""
    current: int
    elapsed: float
    """Seconds since the current window began."""

    def used(self) -> int:
        """What counts now: of the previous window that part which has not yet run out."""
        if not self.previous:
            return self.current
        return self.current + int(self.previous * (1.0 - self.elapsed / WINDOW_SECONDS))

    def seconds_until(self, allowed: int) -> float:
        """Until no more than this counts, if nothing is added."""
        previous, current, elapsed = self
        if current > allowed:  # once the current window is the previous one
            return WINDOW_SECONDS * (1.0 + max(0.0, 1.0 - (allowed + 1) / current)) - elapsed
        if not previous:
            return 0.0
        return max(0.0, WINDOW_SECONDS * (1.0 - (allowed + 1 - current) / previous) - elapsed)


class State(NamedTuple):
    """What a limit leaves."""

    limit: Limit
    remaining: int
    reset_seconds: float
    """Until all of it is free again, if nobody asks."""


class Refusal(NamedTuple):
    """The limit that is reached."""

    limit: Limit
    cost: int
    remaining: int
    wait_seconds: float
    """Until so much is free, if nobody else asks."""


class Taken(NamedTuple):
    """How taking went: all or nothing."""

    states: Sequence[State]
    at: float
    """To be handed to `settle`."""
    refusal: Refusal | None = None


class Windows(Protocol):
    """Where it is counted. Must be closed."""

    async def take(self, who: str, wanted: Sequence[tuple[Limit, int]]) -> Taken:
        """Takes so much of each limit, or nothing of any. Raises CannotCountError."""
        ...

    def settle(self, who: str, taken: Sequence[tuple[Limit, int]], true_cost: int, at: float) -> None:
        """Counts what it did cost in the place of what was taken. Returns at once."""
        ...

    async def aclose(self) -> None:
        """Gives all connections back."""
        ...


class CannotCountError(Exception):
    """The storage is away."""


def state(limit: Limit, counts: Counts) -> State:
    """What the limit leaves."""
    return State(limit, max(0, limit.amount - counts.used()), counts.seconds_until(0))


def refusal(limit: Limit, cost: int, counts: Counts) -> Refusal:
    """Why so much cannot be had."""
    remaining = max(0, limit.amount - counts.used())
    return Refusal(limit, cost, remaining, counts.seconds_until(limit.amount - cost))


class _Window:
    """One caller's count of one limit."""

    __slots__ = ("began", "current", "previous")

    def __init__(self, began: float, previous: int = 0) -> None:
        self.began, self.previous, self.current = began, previous, 0

    def counts(self, now: float) -> Counts:
        return Counts(self.previous, self.current, now - self.began)

    def used(self, now: float) -> int:
        # mostly nothing is left of the minute before
        return self.counts(now).used() if self.previous else self.current


class MemoryWindows:
    """This process alone counts."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._windows: OrderedDict[tuple[Limit, str], _Window] = OrderedDict()

    def __repr__(self) -> str:
        return f"<MemoryWindows {len(self._windows)}>"

    async def take(self, who: str, wanted: Sequence[tuple[Limit, int]]) -> Taken:
        """See Windows; it never waits, and never fails."""
        now = self._now()
        refused: Refusal | None = None
        found: list[tuple[Limit, _Window, int]] = []
        for limit, cost in wanted:
            window = self._window(limit, who, now)
            found.append((limit, window, cost))
            if refused is None and window.used(now) + cost > limit.amount:
                refused = refusal(limit, cost, window.counts(now))
        states: list[State] = []
        for limit, window, cost in found:
            if refused is None:
                window.current += cost
            states.append(state(limit, window.counts(now)))
        return Taken(states, now, refused)

    def settle(self, who: str, taken: Sequence[tuple[Limit, int]], true_cost: int, at: float) -> None:
        """See Windows."""
        now = self._now()
        for limit, cost in taken:
            window = self._window(limit, who, now)
            if true_cost > cost:  # more than is left uses the limit up
                left = limit.amount - window.counts(now).used()
                window.current += min(true_cost - cost, max(0, left))
            elif at >= window.began:
                window.current = max(0, window.current - cost + true_cost)
            elif at >= window.began - WINDOW_SECONDS:  # what was taken earlier has run out by itself
                window.previous = max(0, window.previous - cost + true_cost)

    def _window(self, limit: Limit, who: str, now: float) -> _Window:
        window = self._windows.get((limit, who))
        if window is None or now - window.began >= WINDOW_SECONDS:
            window = self._next(limit, who, now, window)
        return window

    def _next(self, limit: Limit, who: str, now: float, last: _Window | None) -> _Window:
        if last is not None and now - last.began < 2 * WINDOW_SECONDS:
            window = _Window(last.began + WINDOW_SECONDS, last.current)
        else:
            window = _Window(now)
        self._windows[limit, who] = window
        self._windows.move_to_end((limit, who))
        while len(self._windows) > MAX_WINDOWS or self._oldest_is_over(now):
            self._windows.popitem(last=False)
        return window

    def _oldest_is_over(self, now: float) -> bool:
        return now - next(iter(self._windows.values())).began >= 2 * WINDOW_SECONDS

    async def aclose(self) -> None:
        """Nothing is open."""
