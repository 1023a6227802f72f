"""Looks once a second at what is true now, so that a scrape finds every worker's state without asking it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fastproxy.observability.metrics.present import Places, Present

EVERY_SECONDS = 1.0


class Sources(NamedTuple):
    """What is looked at. Each answers at once, from memory."""

    in_flight: Callable[[], int]
    waiting: Callable[[], int]
    load: Callable[[], Mapping[str, Places]]
    circuits: Callable[[], Mapping[str, Mapping[str, str]]]
    credentials: Callable[[], Mapping[str, Mapping[str, Any]]]
    bridges: Callable[[], Mapping[str, Mapping[str, Any] | None]]


class Sampler:
    """Must be closed."""

    def __init__(self, present: Present, sources: Sources) -> None:
        self._present, self._sources = present, sources
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins. Needs a running loop."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time() + EVERY_SECONDS, self._tick, loop.time() + EVERY_SECONDS)

    def look(self) -> None:
        """Sets all gauges to what is true now."""
        present, sources = self._present, self._sources
        present.in_flight.set(sources.in_flight())
        present.waiting.set(sources.waiting())
        present.set_load(sources.load())
        present.set_circuits(sources.circuits())
        present.set_credentials(sources.credentials())
        present.set_bridges(sources.bridges())
        present.set_process()

    def close(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self, due: float) -> None:
        self._present.loop_lag.set(asyncio.get_running_loop().time() - due)
        self.look()
        self.start()
