"""The HTTP clients of one provider: exclusive ones while there are few requests, a shared one beyond.

An exclusive client serves one request at a time, so that an abandoned request's connection can be told from
all others (see `sockets.py`). Each costs 0.1 MiB and 6 ms to make: they are made in a thread, as many as
were ever needed at once up to a bound; requests beyond it share one client and, when abandoned, end as soon
as the provider's headers come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta

from pyreqwest.client import Client

from fastproxy.upstream import sockets

MAX_EXCLUSIVE = 32
_LOOK_AGAIN_SECONDS = (0.05, 0.2, 0.5, 1.0)
"""A connection that is only being made has no socket yet: it is looked for again for a while."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A client for one request. Give it back by `release` or `abandon`."""

    client: Client
    mark: timedelta | None = None
    """What its connection carries; None for the shared client."""


class ClientPool:
    """Makes and lends the clients of one provider. Must be closed."""

    def __init__(self, make: Callable[[timedelta | None], Client], connect_timeout: float) -> None:
        self._make = make
        self._connect_timeout = connect_timeout
        self._shared = Lease(make(None))
        self._free: list[Lease] = []
        self._exclusive: list[Lease] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._growing = False

    def lease(self) -> Lease:
        """A client for one request; the one last used first, its connection being the warmest."""
        if self._free:
            return self._free.pop()
        if sockets.CAN_SHUT_DOWN and not self._growing and len(self._exclusive) < MAX_EXCLUSIVE:
            if not self._exclusive:
                self._free.append(self._add(sockets.new_mark()))
                return self._free.pop()
            self._growing = True
            self._spawn(self._grow())
        return self._shared

    def release(self, lease: Lease) -> None:
        """The request's answer was read to its end, or its connection closed."""
        if lease.mark is not None:
            self._free.append(lease)

    def abandon(self, lease: Lease) -> None:
        """Nobody waits for the request's headers any more: its connection is ended."""
        if lease.mark is not None:
            self._spawn(self._end(lease, lease.mark))

    async def aclose(self) -> None:
        """Closes all clients."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for lease in (self._shared, *self._exclusive):
            await lease.client.close()

    def _add(self, mark: timedelta) -> Lease:
        lease = Lease(self._make(mark), mark)
        self._exclusive.append(lease)
        return lease

    async def _grow(self) -> None:
        try:
            missing = max(1, len(self._exclusive))  # twice as many: a burst is served soon
            for _ in range(min(missing, MAX_EXCLUSIVE - len(self._exclusive))):
                self._free.append(await asyncio.to_thread(self._add, sockets.new_mark()))
        finally:
            self._growing = False

    async def _end(self, lease: Lease, mark: timedelta) -> None:
        ended = sockets.shut_down(mark)
        waited = 0.0
        for seconds in _LOOK_AGAIN_SECONDS:
            if ended or waited > self._connect_timeout:
                break
            await asyncio.sleep(seconds)
            waited += seconds
            ended = sockets.shut_down(mark)
        self.release(lease)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
