"""So many at a time: a counter, and a short queue for those who come next.

One event loop's own. Whoever has entered must leave, whatever happens to it.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Gate:
    """First come, first served; the queue is as long as there are places, so that nobody waits for ever."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._turns: deque[asyncio.Future[None]] = deque()
        self.busy = 0
        """Places that are taken."""

    def __repr__(self) -> str:
        return f"<Gate {self.busy}/{self._places} waiting={self.waiting}>"

    @property
    def waiting(self) -> int:
        """How many are in the queue."""
        return len(self._turns)

    def try_enter(self) -> bool:
        """Takes a place where one is free (then nobody waits)."""
        if self.busy < self._places:
            self.busy += 1
            return True
        return False

    async def enter(self, seconds: float) -> bool:
        """Takes a place, waiting up to so many seconds; False: there was none, or the queue is full."""
        if self.try_enter():
            return True
        if seconds <= 0 or len(self._turns) >= self._places:
            return False
        turn = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except TimeoutError:
            return _was_given(turn)
        except BaseException:
            if _was_given(turn):
                self.leave()
            raise
        finally:
            if turn in self._turns:
                self._turns.remove(turn)
        return True

    def leave(self) -> None:
        """Gives the place to who waits longest."""
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.busy -= 1


def _was_given(turn: asyncio.Future[None]) -> bool:
    """Whether its place came in the moment in which it was given up."""
    return turn.done() and not turn.cancelled()
