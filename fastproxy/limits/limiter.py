"""The limits on the path of a request: reserve before it, settle after it, and what the client is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fastproxy.addresses import Addresses
from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.http import HttpRequest
from fastproxy.limits.rules import REQUESTS, TOKENS, Limit, Rules
from fastproxy.limits.windows import CannotCountError, MemoryWindows, Refusal, State, Windows
from fastproxy.types import Caller, Headers, Route

if TYPE_CHECKING:
    from fastproxy.wire.events import Usage

BYTES_PER_TOKEN = 4
_AGAIN_SECONDS = 1.0
_MINUTE = 60
_NAMES = {
    unit: tuple(f"x-ratelimit-{what}-{unit}" for what in ("limit", "remaining", "reset"))
    for unit in (REQUESTS, TOKENS)
}


class Reservation:
    """What one request took. To be settled at its end."""

    __slots__ = ("_at", "_tokens", "_who", "_windows", "headers")

    def __init__(
        self,
        windows: Windows,
        headers: Headers = (),
        who: str = "",
        tokens: Sequence[tuple[Limit, int]] = (),
        at: float = 0.0,
    ) -> None:
        """`headers` are what the client is told of its limits, `tokens` what was taken of which."""
        self._windows, self.headers, self._who, self._tokens, self._at = windows, headers, who, tokens, at

    def settle(self, usage: Usage | None, *, answered: bool) -> None:
        """The request is over: its true tokens count, none where there was no answer; the estimate stays
        where nobody told. Returns at once."""
        if self._tokens and (usage is not None or not answered):
            true_cost = usage.total_tokens if usage is not None else 0
            self._windows.settle(self._who, self._tokens, true_cost, self._at)


class Limiter:
    """Built once; `reserve` is called for every request where anybody is limited. Must be closed."""

    def __init__(
        self,
        windows: Windows,
        rules: Rules,
        *,
        fail_open: bool = True,
        trusted_proxies: Sequence[str] = (),
    ) -> None:
        self._windows, self._rules, self._fail_open = windows, rules, fail_open
        self._addresses = Addresses(trusted_proxies)
        self._free = Reservation(windows)

    def __repr__(self) -> str:
        return f"<Limiter {self._windows!r}>"

    async def reserve(
        self, caller: Caller, http: HttpRequest, route: Route, max_output_tokens: int | None
    ) -> Reservation:
        """Takes one request, and as many tokens as it may cost: its bytes, and the longest answer it allows.

        The client's address stands for a caller without a key. Raises ProxyError 429 where a limit is
        reached, 503 where the storage is away and that closes.
        """
        limits = self._rules.of(caller, route)
        if not limits:
            return self._free
        who = caller.scope if caller.has_key else self._addresses.client(http)
        estimate = len(http.body) // BYTES_PER_TOKEN + (max_output_tokens or 0)
        # more than the whole limit can never be free: such a request passes where nothing else is going on
        wanted = [(limit, 1 if limit.unit is REQUESTS else min(estimate, limit.amount)) for limit in limits]
        try:
            taken = await self._windows.take(who, wanted)
        except CannotCountError:
            return self._uncounted()
        headers = _headers(taken.states)
        if taken.refusal is not None:
            raise _refused(taken.refusal, headers)
        return Reservation(
            self._windows, headers, who, [one for one in wanted if one[0].unit is TOKENS], taken.at
        )

    def _uncounted(self) -> Reservation:
        if self._fail_open:
            return self._free
        raise ProxyError(
            ErrorKind.OVERLOADED,
            "The place where requests are counted does not answer, and without it nobody may pass "
            "(limits.on_failure).",
            retry_after=_AGAIN_SECONDS,
        )

    async def aclose(self) -> None:
        """Ends what is still to be counted, and gives the connections back."""
        await self._windows.aclose()


def open_windows(url: str, *, fail_open: bool) -> Windows:
    """`memory://`: this process alone; `redis://…`: all that share it. Raises ValueError."""
    if url.startswith("memory:"):
        return MemoryWindows()
    from fastproxy.limits.shared import open_redis  # only who shares them pays for the libraries

    return open_redis(url, "requests pass uncounted" if fail_open else "requests are refused")


def _refused(refusal: Refusal, headers: Headers) -> ProxyError:
    limit, cost = refusal.limit, refusal.cost
    models = f" for the models {limit.match}" if limit.match else ""
    amounts = f": this request asks for about {cost}, {refusal.remaining} are left" if cost > 1 else ""
    return ProxyError(
        ErrorKind.RATE_LIMITED,
        f"The limit of {limit.amount} {limit.unit} a minute{models} is reached{amounts}.",
        retry_after=_whole_seconds(refusal.wait_seconds),
        headers=dict(headers),
    )


def _headers(states: Iterable[State]) -> Headers:
    """As OpenAI sends them (its guide "Rate limits", "Rate limits in headers"): of each unit the limit that
    leaves least."""
    tightest: dict[str, State] = {}
    for state in states:
        unit = state[0].unit
        if unit not in tightest or state[1] < tightest[unit][1]:
            tightest[unit] = state
    told: Headers = ()
    for unit, (limit, remaining, reset) in tightest.items():
        names = _NAMES[unit]
        told += (names[0], str(limit.amount)), (names[1], str(remaining)), (names[2], _duration(reset))
    return told


def _whole_seconds(seconds: float) -> int:
    """Rounded up, so that nobody comes back too early."""
    return int(seconds) + 1


def _duration(seconds: float) -> str:
    """Seconds, at most two minutes of them, rounded up, as OpenAI writes them: 0s, 59s, 1m0s."""
    return _DURATIONS[min(int(seconds), 2 * _MINUTE) + 1 if seconds > 0 else 0]


_DURATIONS = tuple(
    f"{whole}s" if whole < _MINUTE else f"{whole // _MINUTE}m{whole % _MINUTE}s"
    for whole in range(2 * _MINUTE + 2)
)
