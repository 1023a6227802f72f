"""Where finished requests are told: metrics counted and lines written, off the path of the next request.

Counting and writing cost more than routing. They wait until the loop has a moment, at most
FLUSH_AFTER_SECONDS, and then happen for all requests of that time at once, with one write.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from fastproxy.observability.record import RequestRecord

_log = logging.getLogger(__name__)

FLUSH_AFTER_SECONDS = 0.05
MAX_WAITING = 1000
"""More finished requests than this are told at once: memory stays bounded however busy the loop is."""


class Journal:
    """Takes the record of every finished request."""

    def __init__(self, *tell: Callable[[Sequence[RequestRecord]], None]) -> None:
        """Each of `tell` is called with all that waited, in this order."""
        self._tell = tell
        self._waiting: list[RequestRecord] = []
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Journal waiting={len(self._waiting)}>"

    def add(self, record: RequestRecord) -> None:
        """Tells of this request soon."""
        self._waiting.append(record)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_AFTER_SECONDS, self.flush)
        elif len(self._waiting) >= MAX_WAITING:
            self.flush()

    def flush(self) -> None:
        """Tells of all that waits, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        records, self._waiting = self._waiting, []
        for tell in self._tell if records else ():
            try:
                tell(records)
            except Exception:  # noqa: BLE001 - what one cannot do must not keep the others from knowing
                _log.exception("finished requests could not be told")
