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


def used(previous: int, current: int, elapsed: float) -> int:
    """What counts now: of the previous window that part which has not yet run out. `elapsed` are the seconds
    since the current window began."""
    return current + int(previous * (1.0 - elapsed / WINDOW_SECONDS)) if previous else current


def seconds_until(allowed: int, previous: int, current: int, elapsed: float) -> float:
    """Until no more than this counts, if nothing is added."""
    if current > allowed:  # once the current window is the previous one
        left = 1.0 - (allowed + 1) / current
        return WINDOW_SECONDS * (1.0 + left if left > 0.0 else 1.0) - elapsed
    if not previous:
        return 0.0
    return max(0.0, WINDOW_SECONDS * (1.0 - (allowed + 1 - current) / previous) - elapsed)


State = tuple[Limit, int, float]
"""What a limit leaves: the limit, what remains of it, and the seconds until all of it is free again, if
nobody asks. Plain, for there are some for every request."""


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


def state(limit: Limit, previous: int, current: int, elapsed: float) -> State:
    """What the limit leaves."""
    remaining = limit.amount - used(previous, current, elapsed)
    return limit, remaining if remaining > 0 else 0, seconds_until(0, previous, current, elapsed)


def refusal(limit: Limit, cost: int, previous: int, current: int, elapsed: float) -> Refusal:
    """Why so much cannot be had."""
    remaining = max(0, limit.amount - used(previous, current, elapsed))
    wait = seconds_until(limit.amount - cost, previous, current, elapsed)
    return Refusal(limit, cost, remaining, wait)


class _Window:
    """One caller's count of one limit."""

    __slots__ = ("began", "current", "previous")

    def __init__(self, began: float, previous: int = 0) -> None:
        self.began, self.previous, self.current = began, previous, 0

    def used(self, now: float) -> int:
        return used(self.previous, self.current, now - self.began)


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
                refused = refusal(limit, cost, window.previous, window.current, now - window.began)
        states: list[State] = []
        for limit, window, cost in found:
            if refused is None:
                window.current += cost
            states.append(state(limit, window.previous, window.current, now - window.began))
        return Taken(states, now, refused)

    def settle(self, who: str, taken: Sequence[tuple[Limit, int]], true_cost: int, at: float) -> None:
        """See Windows."""
        now = self._now()
        for limit, cost in taken:
            window = self._window(limit, who, now)
            if true_cost > cost:  # more than is left uses the limit up
                left = limit.amount - window.used(now)
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
