"""A storage that is away: noticed once, told once, asked once a second."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from limits.errors import StorageError
from structlog.testing import capture_logs

from fastproxy.limits import open_windows
from fastproxy.limits.rules import REQUESTS, Limit
from fastproxy.limits.shared import REST_SECONDS, SharedWindows
from fastproxy.limits.windows import CannotCountError

WANTED = [(Limit(REQUESTS, 5), 1)]


class Storage:
    """The part of the library's Redis storage that is used; it is away as long as it is told to be."""

    def __init__(self, error: Exception | None) -> None:
        self.error, self.asked, self.taken = error, 0, 0

    async def acquire_sliding_window_entry(self, _key: str, limit: int, _expiry: int, amount: int) -> bool:
        self.asked += 1
        if self.error is not None:
            raise self.error
        self.taken += amount if self.taken + amount <= limit else 0
        return self.taken <= limit

    async def get_sliding_window(self, _key: str, expiry: int) -> tuple[int, float, int, float]:
        return 0, 0.0, self.taken, 2.0 * expiry


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("error", [StorageError(OSError("gone")), TimeoutError()])
async def test_a_storage_that_is_away_is_told_once_and_asked_once_a_second(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, storage = Clock(), Storage(error)
    windows = made(storage, clock, monkeypatch)
    with capture_logs() as logs:
        for _ in range(10):
            with pytest.raises(CannotCountError):
                await windows.take("who", WANTED)
        assert storage.asked == 1
        clock.now += REST_SECONDS
        with pytest.raises(CannotCountError):
            await windows.take("who", WANTED)
        assert storage.asked == 2
        storage.error = None
        clock.now += REST_SECONDS
        taken = await windows.take("who", WANTED)
    assert [log["log_level"] for log in logs] == ["warning", "info"]
    assert logs[0]["until_it_does"] == "requests pass uncounted"
    assert taken.states[0][1:] == (4, 60.0)


class Frozen(Storage):
    """Does not answer, and does not refuse, from a moment on."""

    def __init__(self) -> None:
        super().__init__(StorageError(OSError("gone")))
        self.asking = asyncio.Event()

    async def acquire_sliding_window_entry(self, _key: str, limit: int, _expiry: int, amount: int) -> bool:
        if self.asked:
            self.asking.set()
            self.asked += 1
            await asyncio.Event().wait()
        return await super().acquire_sliding_window_entry(_key, limit, _expiry, amount)


async def test_while_one_finds_out_whether_it_is_back_the_others_do_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, storage = Clock(), Frozen()
    windows = made(storage, clock, monkeypatch)
    with pytest.raises(CannotCountError):
        await windows.take("who", WANTED)
    clock.now += REST_SECONDS
    first = asyncio.create_task(windows.take("who", WANTED))
    await storage.asking.wait()
    for _ in range(20):
        with pytest.raises(CannotCountError):
            await windows.take("who", WANTED)
    assert (storage.asked, first.done()) == (2, False)
    with pytest.raises(CannotCountError):
        await first


async def test_what_a_window_took_back_of_an_earlier_ones_estimates_is_not_told_as_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class TookBack(Storage):
        async def get_sliding_window(self, _key: str, expiry: int) -> tuple[int, float, int, float]:
            return -500, 1.0, -30_480, 2.0 * expiry

    taken = await made(TookBack(None), Clock(), monkeypatch).take("who", WANTED)
    assert [state[1:] for state in taken.states] == [(limit.amount, 0.0) for limit, _ in WANTED]


def made(storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> SharedWindows:
    monkeypatch.setattr("fastproxy.limits.shared.SlidingWindowCounterRateLimiter", Strategy)
    given: Any = storage
    return SharedWindows(given, "requests pass uncounted", clock)


class Strategy:
    """The library's wants a storage of its own kind."""

    def __init__(self, storage: Any) -> None:
        self.storage = storage

    async def hit(self, item: Any, *place: str, cost: int) -> bool:
        return bool(
            await self.storage.acquire_sliding_window_entry(item.key_for(*place), item.amount, 60, cost)
        )


def test_a_wrong_address_is_refused_without_repeating_its_password() -> None:
    with pytest.raises(ValueError, match="no valid Redis URL") as caught:
        open_windows("redis://:secret@host:port/db", fail_open=True)
    assert "secret" not in str(caught.value)
