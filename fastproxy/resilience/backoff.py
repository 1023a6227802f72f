"""How long to wait before an attempt is repeated: exponentially longer, never all at the same moment."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 4.0
"""Who is told to wait longer is told so, or gets another deployment: a client can wait by itself."""


class Backoff:
    """`random` gives numbers from 0 to 1; it is handed in, so that a test knows them."""

    def __init__(
        self,
        random: Callable[[], float] = random.random,
        *,
        first_seconds: float = FIRST_SECONDS,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._random, self._first, self._longest = random, first_seconds, longest_seconds

    def delay(self, retries: int, retry_after: float | None = None) -> float | None:
        """Seconds until the attempt after so many retries; None: the provider wants a longer pause.

        `retry_after` is what the provider asks for: nobody comes back sooner, and a little spread keeps all
        that were refused together from coming back together.
        """
        spread = 0.5 + 0.5 * self._random()
        if retry_after is None:
            return float(min(self._longest, self._first * 2**retries)) * spread
        return None if retry_after > self._longest else retry_after + self._first * (spread - 0.5)
