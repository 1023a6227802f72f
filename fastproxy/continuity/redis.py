"""The store in Redis: shared by every replica."""

from __future__ import annotations

from collections.abc import Sequence

from fastproxy.redis_pool import open_pool

SOCKET_SECONDS = 1.0
"""A Redis that is frozen must not hold a request: connecting and each answer take no longer."""
PREFIX = b"fastproxy:continuity:"


class RedisStore:
    """Values under `fastproxy:continuity:<digest>`, which Redis itself lets expire."""

    def __init__(self, url: str, ttl_seconds: float) -> None:
        pool = open_pool(url, SOCKET_SECONDS)
        from redis import asyncio as redis

        self._client = redis.Redis.from_pool(pool)
        self._ttl_ms = max(1, round(ttl_seconds * 1000))

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values, in one round trip."""
        values = await self._client.mget([PREFIX + key for key in keys])
        return [value if isinstance(value, bytes) else None for value in values]

    async def put_many(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Stores the pairs in one round trip."""
        pipeline = self._client.pipeline(transaction=False)
        for key, value in items:
            pipeline.set(PREFIX + key, value, px=self._ttl_ms)
        await pipeline.execute()

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aclose()
