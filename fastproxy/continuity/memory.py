"""The store within this process: bounded in entries and bytes, the least recently used goes first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

ENTRY_OVERHEAD_BYTES = 256
"""What an entry costs beside its value: key, tuple, float, two table slots."""


class MemoryStore:
    """A dictionary with a memory of who was used last. Lost with the process."""

    def __init__(
        self,
        ttl_seconds: float,
        *,
        max_entries: int = 50_000,
        max_bytes: int = 64 * 1024 * 1024,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl_seconds = ttl_seconds
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._now = now
        self._entries: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        self.size_bytes = 0
        """What the entries take, overhead included."""

    def __len__(self) -> int:
        return len(self._entries)

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values that are still alive; a value that is read counts as used."""
        now = self._now()
        return [self._get(key, now) for key in keys]

    async def put_many(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Stores the pairs, then drops the least recently used until the bounds hold."""
        expires_at = self._now() + self._ttl_seconds
        for key, value in items:
            self._drop(key)
            self._entries[key] = (value, expires_at)
            self.size_bytes += len(value) + ENTRY_OVERHEAD_BYTES
        while self._entries and (len(self._entries) > self._max_entries or self.size_bytes > self._max_bytes):
            self._drop(next(iter(self._entries)))

    async def aclose(self) -> None:
        """Forgets everything."""
        self._entries.clear()
        self.size_bytes = 0

    def _get(self, key: bytes, now: float) -> bytes | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        value, expires_at = entry
        if now >= expires_at:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return value

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size_bytes -= len(entry[0]) + ENTRY_OVERHEAD_BYTES
