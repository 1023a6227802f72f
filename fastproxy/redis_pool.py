"""Connections to Redis, for all that is kept there. Redis-py is an extra, imported when it is asked for.

Law: a Redis that is frozen or gone must not hold a request. Connecting, each answer and waiting for a free
connection are bounded, and a full pool waits where redis-py's plain one would fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis.asyncio import BlockingConnectionPool

CONNECTIONS = 16


def open_pool(url: str, seconds: float) -> BlockingConnectionPool:
    """A pool whose every step takes no longer than so many seconds. Raises ValueError, which tells the remedy
    and not the URL: that may hold a password."""
    try:
        from redis import asyncio as redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError as Broken
    except ImportError as error:
        raise ValueError("Redis storage needs one more package: pip install 'fastproxy[redis]'.") from error
    try:
        return redis.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=seconds,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            # one retry: the first use of a connection that a restarted Redis has forgotten; who is slow is
            # not asked again
            retry=Retry(NoBackoff(), 1, supported_errors=(Broken,)),
        )
    except ValueError:
        raise ValueError(
            "The storage is no valid Redis URL: write redis://host:port/db or redis://user:password@host:port/db."
        ) from None
