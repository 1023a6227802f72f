"""One timer for all who wait."""

from __future__ import annotations

import asyncio
from collections import Counter

from fastproxy.sweep import Sweep

SECONDS = 0.01


async def test_each_who_waits_is_looked_at_again_and_again_until_it_is_discarded() -> None:
    seen: Counter[str] = Counter()
    three_times = asyncio.Event()

    def look(name: str, _now: float) -> None:
        seen[name] += 1
        if name == "brief":
            sweep.discard(name)
        elif seen[name] == 3:
            three_times.set()

    sweep = Sweep(look, SECONDS)
    sweep.add("brief")
    sweep.add("long")
    await three_times.wait()
    assert seen == {"brief": 1, "long": 3}
    assert repr(sweep) == "<Sweep waiting=1>"


async def test_it_rests_while_nobody_waits_and_goes_on_for_the_next() -> None:
    looked = asyncio.Event()

    def look(_one: int, _now: float) -> None:
        sweep.discard(_one)
        looked.set()

    sweep = Sweep(look, SECONDS)
    for one in range(2):
        sweep.add(one)
        await looked.wait()
        looked.clear()
        await asyncio.sleep(SECONDS)  # the round after it found nobody
        assert repr(sweep) == "<Sweep waiting=0>"


async def test_one_who_is_added_while_looking_is_not_lost() -> None:
    late = asyncio.Event()

    def look(name: str, _now: float) -> None:
        sweep.discard(name)
        if name == "first":
            sweep.add("second")
        else:
            late.set()

    sweep = Sweep(look, SECONDS)
    sweep.add("first")
    await late.wait()
