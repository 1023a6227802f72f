"""One timer for all who wait: a timer of its own for each request costs more than finding its handler.

Whoever is added is looked at every `seconds` until it is discarded; the first time may come at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Sweep(Generic[T]):
    """Those who wait on one event loop. `look` is called with each of them and the loop's time."""

    def __init__(self, look: Callable[[T, float], None], seconds: float) -> None:
        self._look, self._seconds = look, seconds
        self._waiting: set[T] = set()
        self._is_armed = False
        self.discard = self._waiting.discard

    def __repr__(self) -> str:
        return f"<Sweep waiting={len(self._waiting)}>"

    def add(self, one: T) -> None:
        """Looks at this one from now on."""
        self._waiting.add(one)
        if not self._is_armed:
            self._is_armed = True
            asyncio.get_running_loop().call_later(self._seconds, self._sweep)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for one in tuple(self._waiting):
            self._look(one, now)
        self._is_armed = bool(self._waiting)
        if self._is_armed:
            loop.call_later(self._seconds, self._sweep)
