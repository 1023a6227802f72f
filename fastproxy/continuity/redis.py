"""The store in Redis: shared by every replica. Redis-py is an extra and is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

SOCKET_SECONDS = 1.0
"""A Redis that is frozen must not hold a request: connecting and each answer take no longer."""
CONNECTIONS = 16
PREFIX = b"fastproxy:continuity:"


class RedisStore:
    """Values under `fastproxy:continuity:<digest>`, which Redis itself lets expire."""

    def __init__(self, url: str, ttl_seconds: float) -> None:
        try:
            from redis import asyncio as redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError as error:
            raise ValueError(
                "Redis storage needs one more package: pip install 'fastproxy[redis]'."
            ) from error
        # Waits for a free connection, where the plain pool would fail. One retry: the first use of a
        # connection that a restarted Redis has forgotten.
        try:
            pool = redis.BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS,
                timeout=SOCKET_SECONDS,
                socket_timeout=SOCKET_SECONDS,
                socket_connect_timeout=SOCKET_SECONDS,
                retry=Retry(NoBackoff(), 1),
            )
        except ValueError:
            # Without the url and the parser's own words: they may hold a password.
            raise ValueError(
                "The storage is no valid Redis URL: write redis://host:port/db or redis://user:password@host:port/db."
            ) from None
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
