"""Windows that several processes share, in Redis, counted by the library `limits`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import lru_cache
from typing import TypeVar

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from fastproxy.limits.rules import Limit
from fastproxy.limits.windows import (
    WINDOW_SECONDS,
    CannotCountError,
    Taken,
    refusal,
    state,
    used,
)
from fastproxy.redis_pool import CONNECTIONS, open_pool

STORAGE_SECONDS = 0.7
"""The longest that a request's questions to the storage may take."""
QUEUE_SECONDS = 5.0
"""The longest that a request waits until it may ask: many that come at once are no fault of the storage."""
ANSWER_SECONDS = 0.5
"""The longest that Redis may take for one of them. On a machine short of time all is late, Redis or not."""
REST_SECONDS = 1.0
"""How long a storage that failed is not asked: only one request a second finds out whether it is back."""


_Answer = TypeVar("_Answer")


class SharedWindows:
    """All that use the same Redis count together. Must be closed."""

    def __init__(
        self, storage: RedisStorage, meanwhile: str = "", now: Callable[[], float] = time.monotonic
    ) -> None:
        """`meanwhile` is told in the log when the storage does not answer: what happens until it does."""
        self._storage, self._meanwhile, self._now = storage, meanwhile, now
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._log = structlog.get_logger()
        self._away_since: float | None = None
        self._ask_again_at = 0.0
        self._settling: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore(CONNECTIONS)
        """Whoever has one finds a free connection."""

    def __repr__(self) -> str:
        return f"<SharedWindows settling={len(self._settling)} away={self._away_since is not None}>"

    async def take(self, who: str, wanted: Sequence[tuple[Limit, int]]) -> Taken:
        """See Windows."""
        taken = await self._asked(lambda: self._take(who, wanted))
        self._is_back()
        return taken

    async def _asked(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """The storage's answer. Raises CannotCountError."""
        try:
            async with asyncio.timeout(QUEUE_SECONDS), self._turn:
                if self._away_since is not None and self._now() < self._ask_again_at:
                    raise CannotCountError
                if self._away_since is not None:  # the others need not wait for what this one finds out
                    self._ask_again_at = self._now() + REST_SECONDS
                async with asyncio.timeout(STORAGE_SECONDS):
                    return await ask()
        except (StorageError, TimeoutError) as error:
            self._is_away(error)
            raise CannotCountError from error

    async def _take(self, who: str, wanted: Sequence[tuple[Limit, int]]) -> Taken:
        at = self._now()
        refused: tuple[Limit, int] | None = None
        for place, (limit, cost) in enumerate(wanted):
            if not await self._hit(limit, who, cost):
                refused = limit, cost
                for earlier, paid in wanted[:place]:
                    await self._hit(earlier, who, -paid)
                break
        by_limit = {limit: _told(*await self._counts(limit, who)) for limit, _ in wanted}
        states = [state(limit, *counts) for limit, counts in by_limit.items()]
        return Taken(states, at, refusal(refused[0], refused[1], *by_limit[refused[0]]) if refused else None)

    async def _hit(self, limit: Limit, who: str, cost: int) -> bool:
        return await self._limiter.hit(_item(limit.amount), *_place(limit, who), cost=cost)

    async def _counts(self, limit: Limit, who: str) -> tuple[int, int, float]:
        """What is counted in the window before this one and in this one, and how long this one lasts."""
        key = _item(limit.amount).key_for(*_place(limit, who))
        found = await self._storage.get_sliding_window(key, int(WINDOW_SECONDS))
        previous, previous_left, current, current_left = found
        elapsed = WINDOW_SECONDS - previous_left if previous else 2 * WINDOW_SECONDS - current_left
        return previous, current, min(max(0.0, elapsed), WINDOW_SECONDS)

    def settle(self, who: str, taken: Sequence[tuple[Limit, int]], true_cost: int, at: float) -> None:
        """See Windows; it is done in the background."""
        if self._away_since is None and any(cost != true_cost for _, cost in taken):
            self._spawn(self._settle(who, taken, true_cost, at))

    async def _settle(self, who: str, taken: Sequence[tuple[Limit, int]], true_cost: int, at: float) -> None:
        async def settle() -> None:
            for limit, cost in taken:
                await self._add(limit, who, true_cost - cost, at)

        with contextlib.suppress(CannotCountError):
            await self._asked(settle)

    async def _add(self, limit: Limit, who: str, difference: int, at: float) -> None:
        if difference < 0 and self._now() - at >= WINDOW_SECONDS:
            return  # what was taken too much has run out of the window by itself
        if difference and not await self._hit(limit, who, difference):
            # more than is left: the limit is used up
            await self._hit(limit, who, max(0, limit.amount - used(*await self._counts(limit, who))))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    def _is_away(self, error: Exception) -> None:
        now = self._now()
        self._ask_again_at = now + REST_SECONDS
        if self._away_since is None:
            self._away_since = now
            self._log.warning(
                "the storage of the rate limits does not answer",
                reason=type(error.__cause__ or error).__name__,
                until_it_does=self._meanwhile,
            )

    def _is_back(self) -> None:
        if self._away_since is not None:
            seconds, self._away_since = self._now() - self._away_since, None
            self._log.info("the storage of the rate limits answers again", away_seconds=round(seconds, 1))

    async def aclose(self) -> None:
        """Waits for what is still to be counted (bounded), and gives the connections back."""
        if self._settling:
            await asyncio.wait(self._settling, timeout=STORAGE_SECONDS)
        await self._storage.bridge.storage.connection_pool.disconnect()  # type: ignore[attr-defined]


def open_redis(url: str, meanwhile: str) -> SharedWindows:
    """The windows at this address. Raises ValueError."""
    storage = RedisStorage(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="fastproxy:limits",
        connection_pool=open_pool(url, ANSWER_SECONDS),  # type: ignore[arg-type]  # annotated too narrowly
    )
    return SharedWindows(storage, meanwhile)


def _told(previous: int, current: int, elapsed: float) -> tuple[int, int, float]:
    """What a client is told of: what a window took back of an earlier one's estimates is no use of it."""
    return max(0, previous), max(0, current), elapsed


@lru_cache(1024)
def _item(amount: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(amount, namespace="")


def _place(limit: Limit, who: str) -> tuple[str, ...]:
    return (limit.unit, limit.match, who) if limit.match else (limit.unit, who)
