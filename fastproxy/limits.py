"""May this caller go now? Requests and tokens a minute, counted by the library `limits`, in memory or Redis.

Laws:
1. Tokens are reserved by an estimate before the request and settled by the provider's own count after it.
2. A storage that is away is noticed once, told once, and holds nobody: `on_failure` decides until it is back.
3. One sliding window counter for both: it costs the same whatever the amount is, and has no edge at which
   twice as many may pass.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from fastproxy.addresses import Addresses
from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.http import HttpRequest
from fastproxy.redis_pool import open_pool
from fastproxy.types import Caller, Headers

if TYPE_CHECKING:
    from fastproxy.wire.events import Usage

WINDOW_SECONDS = 60.0
STORAGE_SECONDS = 0.8
"""The longest that a request waits for the storage."""
ANSWER_SECONDS = 0.35
"""The longest that Redis may take for one step; a step is tried twice."""
REST_SECONDS = 1.0
"""How long a storage that failed is not asked: only one request a second finds out whether it is back."""
BYTES_PER_TOKEN = 4

Storage = MemoryStorage | RedisStorage


class _Limit(NamedTuple):
    """One of a caller's two limits."""

    unit: str
    """"requests" or "tokens", as in the headers."""
    amount: int


class _State(NamedTuple):
    """What a limit leaves."""

    limit: _Limit
    remaining: int
    reset_seconds: float


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one request took. To be settled at its end."""

    limiter: Limiter
    headers: Headers = ()
    """What the client is told of its limits."""
    who: str = ""
    tokens: _Limit | None = None
    reserved: int = 0
    reserved_at: float = 0.0

    def settle(self, usage: Usage | None, *, answered: bool) -> None:
        """The request is over: its true tokens count, none where there was no answer; the estimate stays
        where nobody told. Returns at once."""
        if self.tokens is None:
            return
        unknown = self.reserved if answered else 0
        difference = (usage.total_tokens if usage is not None else unknown) - self.reserved
        if difference:
            self.limiter.settle_later(self, difference)


class Limiter:
    """Built once; `reserve` is called for every request where anybody is limited. Must be closed."""

    def __init__(
        self,
        storage: Storage,
        *,
        requests_per_minute: int = 0,
        tokens_per_minute: int = 0,
        fail_open: bool = True,
        trusted_proxies: Sequence[str] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._windows = SlidingWindowCounterRateLimiter(storage)
        self._default = (requests_per_minute, tokens_per_minute)
        self._fail_open, self._now = fail_open, now
        self._addresses = Addresses(trusted_proxies)
        self._log = structlog.get_logger()
        self._away_since: float | None = None
        self._ask_again_at = 0.0
        self._settling: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Limiter settling={len(self._settling)} away={self._away_since is not None}>"

    async def reserve(self, caller: Caller, http: HttpRequest, max_output_tokens: int | None) -> Reservation:
        """Takes one request, and as many tokens as it may cost: its bytes, and the longest answer it allows.

        The client's address stands for a caller without a key. Raises ProxyError 429 where the limit is
        reached, 503 where the storage is away and that closes.
        """
        requests, tokens = self._limits_of(caller)
        if requests is None and tokens is None:
            return Reservation(self)
        if self._away_since is not None and self._now() < self._ask_again_at:
            return self._without_storage()
        who = caller.scope if caller.has_key else self._addresses.client(http)
        estimate = len(http.body) // BYTES_PER_TOKEN + (max_output_tokens or 0)
        try:
            async with asyncio.timeout(STORAGE_SECONDS):
                reservation = await self._reserve(who, requests, tokens, estimate)
        except (StorageError, TimeoutError) as error:
            self._is_away(error)
            return self._without_storage()
        self._is_back()
        return reservation

    def _limits_of(self, caller: Caller) -> tuple[_Limit | None, _Limit | None]:
        own = (caller.requests_per_minute, caller.tokens_per_minute)
        requests, tokens = (
            default if value is None else value for value, default in zip(own, self._default, strict=True)
        )
        return _Limit("requests", requests) if requests else None, _Limit(
            "tokens", tokens
        ) if tokens else None

    async def _reserve(
        self, who: str, requests: _Limit | None, tokens: _Limit | None, estimate: int
    ) -> Reservation:
        states: list[_State] = []
        if requests is not None:
            states.append(await self._take(who, requests, 1))
        # more than the whole limit can never be free: such a request passes where nothing else is going on
        reserved = min(estimate, tokens.amount) if tokens is not None else 0
        if tokens is not None:
            states.append(await self._take(who, tokens, reserved, states))
        return Reservation(self, _headers(states), who, tokens, reserved, self._now())

    async def _take(self, who: str, limit: _Limit, cost: int, before: Sequence[_State] = ()) -> _State:
        taken = await self._windows.hit(_item(limit.amount), limit.unit, who, cost=cost)
        state = await self._state(who, limit)
        if taken:
            return state
        raise ProxyError(
            ErrorKind.RATE_LIMITED,
            f"The limit of {limit.amount} {limit.unit} a minute is reached"
            + (f": this request asks for about {cost}, {state.remaining} are left." if cost > 1 else "."),
            retry_after=max(1.0, state.reset_seconds),
            headers=dict(_headers([*before, state])),
        )

    async def _state(self, who: str, limit: _Limit) -> _State:
        stats = await self._windows.get_window_stats(_item(limit.amount), limit.unit, who)
        return _State(limit, max(0, stats.remaining), max(0.0, stats.reset_time - time.time()))

    def settle_later(self, reservation: Reservation, difference: int) -> None:
        """Counts so many tokens more, or fewer, without keeping anybody waiting."""
        if self._away_since is not None:
            return
        task = asyncio.get_running_loop().create_task(self._settle(reservation, difference))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle(self, reservation: Reservation, difference: int) -> None:
        limit = reservation.tokens
        if limit is None or (difference < 0 and self._now() - reservation.reserved_at >= WINDOW_SECONDS):
            return  # what was taken too much has run out of the window by itself
        try:
            async with asyncio.timeout(STORAGE_SECONDS):
                item, keys = _item(limit.amount), (limit.unit, reservation.who)
                if not await self._windows.hit(item, *keys, cost=difference):
                    # more than is left: the limit is used up
                    rest = (await self._state(reservation.who, limit)).remaining
                    await self._windows.hit(item, *keys, cost=rest)
        except (StorageError, TimeoutError) as error:
            self._is_away(error)

    def _without_storage(self) -> Reservation:
        if self._fail_open:
            return Reservation(self)
        raise ProxyError(
            ErrorKind.OVERLOADED,
            "The place where requests are counted does not answer, and without it nobody may pass "
            "(limits.on_failure).",
            retry_after=REST_SECONDS,
        )

    def _is_away(self, error: Exception) -> None:
        now = self._now()
        self._ask_again_at = now + REST_SECONDS
        if self._away_since is None:
            self._away_since = now
            self._log.warning(
                "the storage of the rate limits does not answer",
                reason=type(error.__cause__ or error).__name__,
                until_it_does="requests pass uncounted" if self._fail_open else "requests are refused",
            )

    def _is_back(self) -> None:
        if self._away_since is not None:
            seconds, self._away_since = self._now() - self._away_since, None
            self._log.info("the storage of the rate limits answers again", away_seconds=round(seconds, 1))

    async def aclose(self) -> None:
        """Waits for what is still to be counted (bounded), and gives the connections back."""
        if self._settling:
            await asyncio.wait(self._settling, timeout=STORAGE_SECONDS)
        storage = self._windows.storage
        if isinstance(storage, RedisStorage):
            await storage.bridge.storage.connection_pool.disconnect()  # type: ignore[attr-defined]


def open_storage(url: str) -> Storage:
    """`memory://`: this process alone; `redis://…`: all that share it. Raises ValueError."""
    if url.startswith("memory:"):
        return MemoryStorage()
    return RedisStorage(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="fastproxy:limits",
        connection_pool=open_pool(url, ANSWER_SECONDS),  # type: ignore[arg-type]  # annotated too narrowly
    )


@lru_cache(1024)
def _item(amount: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(amount, namespace="")


def _headers(states: Sequence[_State]) -> Headers:
    """As OpenAI sends them (its guide "Rate limits", "Rate limits in headers")."""
    return tuple(
        pair
        for limit, remaining, reset in states
        for pair in (
            (f"x-ratelimit-limit-{limit.unit}", str(limit.amount)),
            (f"x-ratelimit-remaining-{limit.unit}", str(remaining)),
            (f"x-ratelimit-reset-{limit.unit}", _duration(reset)),
        )
    )


def _duration(seconds: float) -> str:
    """Seconds as OpenAI writes them: 20ms, 1.5s, 6m0s."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"
