"""So many requests and tokens a minute, and what happens while nobody can count."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from limits.errors import StorageError
from structlog.testing import capture_logs

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.http import HttpRequest
from fastproxy.limits import REST_SECONDS, Limiter, Reservation, open_storage
from fastproxy.types import Caller
from fastproxy.wire.events import Usage

CI = Caller("ci", "scope-of-ci", has_key=True)
ANYBODY = Caller("local", "local")


@pytest.fixture(autouse=True)
def _in_the_middle_of_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's windows in memory begin with the minute: no test runs over an edge."""
    minute = time.time() // 60 * 60
    monkeypatch.setattr(time, "time", lambda: minute + 30.0)


def ask(size: int = 40, address: str = "1.1.1.1") -> HttpRequest:
    return HttpRequest("POST", "/", {}, b"x" * size, address=address)


def limiter(**settings: Any) -> Limiter:
    return Limiter(open_storage("memory://"), **settings)


async def refused(
    limits: Limiter, caller: Caller = CI, http: HttpRequest | None = None, longest: int | None = None
) -> ProxyError:
    with pytest.raises(ProxyError) as caught:
        await limits.reserve(caller, http or ask(), longest)
    assert caught.value.status == 429
    return caught.value


async def settled(limits: Limiter, reservation: Reservation, tokens: int | None, answered: bool) -> None:
    reservation.settle(None if tokens is None else Usage(tokens, 0, tokens), answered=answered)
    await asyncio.gather(*limits._settling)


async def test_so_many_requests_pass_and_the_next_is_told_when_to_come_back() -> None:
    limits = limiter(requests_per_minute=3)
    left = [dict((await limits.reserve(CI, ask(), None)).headers) for _ in range(3)]
    assert [headers["x-ratelimit-remaining-requests"] for headers in left] == ["2", "1", "0"]
    assert left[0]["x-ratelimit-limit-requests"] == "3"
    error = await refused(limits)
    assert (error.code, error.type, error.retry_after) == ("rate_limit_exceeded", "rate_limit_error", 30)
    assert error.message == "The limit of 3 requests a minute is reached."
    assert error.headers["x-ratelimit-remaining-requests"] == "0"
    assert error.headers["x-ratelimit-reset-requests"] == "30s"


async def test_of_many_at_once_exactly_so_many_pass() -> None:
    limits = limiter(requests_per_minute=100)
    answers = await asyncio.gather(
        *(limits.reserve(CI, ask(), None) for _ in range(250)), return_exceptions=True
    )
    assert sum(isinstance(answer, Reservation) for answer in answers) == 100


async def test_keys_do_not_share_a_limit_and_may_have_their_own() -> None:
    limits = limiter(requests_per_minute=1)
    await limits.reserve(CI, ask(), None)
    await refused(limits)
    await limits.reserve(Caller("b", "scope-of-b", has_key=True), ask(), None)
    rich = Caller("rich", "scope-of-rich", requests_per_minute=5, has_key=True)
    for _ in range(5):
        await limits.reserve(rich, ask(), None)
    await refused(limits, rich)
    free = Caller("free", "scope-of-free", requests_per_minute=0, has_key=True)
    for _ in range(20):
        assert (await limits.reserve(free, ask(), None)).headers == ()


async def test_a_key_may_be_limited_where_others_are_not() -> None:
    limits = limiter()
    await limits.reserve(CI, ask(), None)
    poor = Caller("poor", "scope-of-poor", requests_per_minute=1, has_key=True)
    await limits.reserve(poor, ask(), None)
    await refused(limits, poor)


async def test_without_a_key_the_address_counts_and_with_one_it_does_not() -> None:
    limits = limiter(requests_per_minute=1)
    await limits.reserve(ANYBODY, ask(address="1.1.1.1"), None)
    await limits.reserve(ANYBODY, ask(address="2.2.2.2"), None)
    await refused(limits, ANYBODY, ask(address="1.1.1.1"))
    await limits.reserve(CI, ask(address="1.1.1.1"), None)
    await refused(limits, CI, ask(address="3.3.3.3"))


async def test_tokens_are_reserved_by_the_bytes_and_the_longest_answer() -> None:
    limits = limiter(tokens_per_minute=1000)
    headers = dict((await limits.reserve(CI, ask(400), 500)).headers)
    assert headers["x-ratelimit-remaining-tokens"] == "400"
    error = await refused(limits, http=ask(400), longest=301)
    assert error.message.startswith("The limit of 1000 tokens a minute is reached: this request asks for")
    assert error.headers["x-ratelimit-remaining-tokens"] == "400"
    await limits.reserve(CI, ask(400), 300)


@pytest.mark.parametrize(
    ("used", "answered", "remaining"),
    [(100, True, 900), (900, True, 100), (None, True, 400), (None, False, 1000)],
)
async def test_and_settled_by_what_was_used(used: int | None, answered: bool, remaining: int) -> None:
    limits = limiter(tokens_per_minute=1000)
    await settled(limits, await limits.reserve(CI, ask(400), 500), used, answered)
    left = dict((await limits.reserve(CI, ask(0), None)).headers)["x-ratelimit-remaining-tokens"]
    assert left == str(remaining)


async def test_more_than_is_left_uses_the_limit_up() -> None:
    limits = limiter(tokens_per_minute=1000)
    await settled(limits, await limits.reserve(CI, ask(400), None), 5000, True)
    await refused(limits, http=ask(4))


async def test_a_request_larger_than_the_limit_passes_where_nothing_else_goes_on() -> None:
    limits = limiter(tokens_per_minute=1000)
    await limits.reserve(CI, ask(40_000), None)
    await refused(limits)


async def test_both_limits_are_told() -> None:
    limits = limiter(requests_per_minute=5, tokens_per_minute=1000)
    names = [name for name, _ in (await limits.reserve(CI, ask(), None)).headers]
    assert names == [
        f"x-ratelimit-{what}-{of}"
        for of in ("requests", "tokens")
        for what in ("limit", "remaining", "reset")
    ]


class Broken:
    """A storage that is away as long as it is told to be."""

    def __init__(self, limits: Limiter, error: Exception | None) -> None:
        self._hit, self.error, self.asked = limits._windows.hit, error, 0
        limits._windows.hit = self.hit  # type: ignore[method-assign]

    async def hit(self, *args: Any, **kwargs: Any) -> bool:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return await self._hit(*args, **kwargs)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("error", [StorageError(OSError("gone")), TimeoutError()])
async def test_a_storage_that_is_away_is_told_once_and_asked_once_a_second(error: Exception) -> None:
    clock = Clock()
    limits = limiter(requests_per_minute=1, now=clock)
    storage = Broken(limits, error)
    with capture_logs() as logs:
        for _ in range(10):
            assert (await limits.reserve(CI, ask(), None)).headers == ()
        assert storage.asked == 1
        clock.now += REST_SECONDS
        await limits.reserve(CI, ask(), None)
        assert storage.asked == 2
        storage.error = None
        clock.now += REST_SECONDS
        await limits.reserve(CI, ask(), None)
    await refused(limits)
    assert [log["log_level"] for log in logs] == ["warning", "info"]
    assert logs[0]["until_it_does"] == "requests pass uncounted"


async def test_where_that_closes_nobody_passes() -> None:
    limits = limiter(requests_per_minute=1, fail_open=False)
    Broken(limits, StorageError(OSError("gone")))
    for _ in range(2):
        with pytest.raises(ProxyError) as caught:
            await limits.reserve(CI, ask(), None)
        assert (caught.value.kind, caught.value.retry_after) == (ErrorKind.OVERLOADED, 1)
        assert "limits.on_failure" in caught.value.message


def test_a_wrong_address_is_refused_without_repeating_its_password() -> None:
    with pytest.raises(ValueError, match="no valid Redis URL") as caught:
        open_storage("redis://:secret@host:port/db")
    assert "secret" not in str(caught.value)
