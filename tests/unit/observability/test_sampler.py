"""What is true now is looked at once a second, and at every scrape."""

from __future__ import annotations

import asyncio

from fastproxy.observability import sampler
from fastproxy.observability.metrics import Metrics
from fastproxy.observability.sampler import Sampler, Sources
from testkit.exposition import Samples
from tests.fastclock import fast


class Load:
    """A proxy's state, and how often it was asked for."""

    def __init__(self) -> None:
        self.in_flight = 1
        self.asked = 0
        self.metrics = Metrics()
        self.sampler = Sampler(self.metrics.present, Sources(self.ask, lambda: 2, dict, dict, dict, dict))

    def ask(self) -> int:
        self.asked += 1
        return self.in_flight

    def value(self, name: str) -> float:
        return Samples(self.metrics.render().decode()).value(name)


@fast
async def test_it_looks_once_a_second_until_it_is_closed() -> None:
    load = Load()
    load.sampler.start()
    await asyncio.sleep(2.5 * sampler.EVERY_SECONDS)
    assert load.asked == 2
    assert load.value("fastproxy_in_flight") == 1
    assert load.value("fastproxy_waiting") == 2
    load.sampler.close()
    await asyncio.sleep(5 * sampler.EVERY_SECONDS)
    assert load.asked == 2


@fast
async def test_a_look_between_tells_the_present() -> None:
    load = Load()
    load.in_flight = 7
    load.sampler.look()
    assert load.value("fastproxy_in_flight") == 7


async def test_a_loop_that_was_held_up_tells_for_how_long() -> None:
    load = Load()
    load.sampler._tick(asyncio.get_running_loop().time() - 0.25)
    load.sampler.close()
    assert 0.25 <= load.value("fastproxy_event_loop_lag_seconds") < 1
