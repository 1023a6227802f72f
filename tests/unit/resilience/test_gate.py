"""So many at a time, then a short queue, then no."""

from __future__ import annotations

import asyncio

import pytest

from fastproxy.resilience.gate import Gate
from tests.fastclock import fast, now


@fast
async def test_who_waits_comes_in_the_order_of_asking() -> None:
    gate, came = Gate(2), []

    async def one(name: int) -> None:
        assert await gate.enter(10)
        came.append(name)
        await asyncio.sleep(1)
        gate.leave()

    await asyncio.gather(*(one(name) for name in range(4)))
    assert (came, now(), gate.busy, gate.waiting) == ([0, 1, 2, 3], 2, 0, 0)


@fast
async def test_who_waits_too_long_does_not_come_in() -> None:
    gate = Gate(1)
    assert gate.try_enter()
    assert not gate.try_enter()
    assert not await gate.enter(3)
    assert (now(), gate.busy, gate.waiting) == (3, 1, 0)


@fast
async def test_the_queue_is_no_longer_than_the_room() -> None:
    gate = Gate(1)
    gate.try_enter()
    waiting = asyncio.create_task(gate.enter(10))
    await asyncio.sleep(0)
    assert gate.waiting == 1
    assert not await gate.enter(10)
    assert now() == 0
    gate.leave()
    assert await waiting
    gate.leave()
    assert gate.busy == 0


@fast
async def test_without_time_nobody_waits() -> None:
    gate = Gate(1)
    gate.try_enter()
    assert not await gate.enter(0)


@fast
async def test_who_gives_up_in_the_queue_takes_no_place() -> None:
    gate = Gate(1)
    gate.try_enter()
    waiting = asyncio.create_task(gate.enter(10))
    await asyncio.sleep(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.leave()
    assert (gate.busy, gate.waiting) == (0, 0)


@fast
async def test_who_gives_up_in_the_moment_of_its_turn_passes_the_place_on() -> None:
    gate = Gate(2)
    gate.try_enter(), gate.try_enter()
    first, second = (asyncio.create_task(gate.enter(10)) for _ in range(2))
    await asyncio.sleep(1)
    gate.leave()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second
    gate.leave()
    gate.leave()
    assert gate.busy == 0


@fast
async def test_a_place_that_comes_in_the_last_moment_is_taken() -> None:
    gate = Gate(1)
    gate.try_enter()
    loop = asyncio.get_running_loop()
    waiting = asyncio.create_task(gate.enter(5))
    loop.call_at(5, gate.leave)
    came = await waiting
    assert gate.busy == (1 if came else 0)
