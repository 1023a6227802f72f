"""/health, /health/live, /health/ready, and where agents knock first: always answered, without a key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from fastproxy import __version__
from fastproxy.http import HttpRequest, Reply
from fastproxy.pipeline import Pipeline
from fastproxy.types import Json

GREETING = "/api/hello"
"""Clients ask it, or `/`, by HEAD or GET, to learn whether anybody is there."""

Handler = Callable[[HttpRequest], Awaitable[Reply]]


async def live(_request: HttpRequest) -> Reply:
    """200 as long as the process answers at all."""
    return Reply(b'{"status":"ok"}')


def ready_handler(pipeline: Pipeline) -> Handler:
    """The handler of /health/ready."""

    async def ready(_request: HttpRequest) -> Reply:
        """200 while new requests are taken, 503 while draining."""
        if pipeline.draining:
            return Reply(b'{"status":"draining"}', status=503, headers=(("retry-after", "1"),))
        return Reply(b'{"status":"ok"}')

    return ready


def state_of(
    pipeline: Pipeline, providers: Callable[[], Mapping[str, Any]], *, log_bodies: bool = False
) -> Callable[[], Json]:
    """What tells the proxy's state; `providers` tells each one's."""
    started = time.monotonic()

    def state() -> Json:
        """Version, uptime, load, and the state of each provider (no secrets, no network)."""
        return {
            "status": "draining" if pipeline.draining else "ok",
            "version": __version__,
            "uptime_seconds": round(time.monotonic() - started, 1),
            "in_flight": pipeline.in_flight,
            "waiting": pipeline.gate.waiting,
            "tasks": len(asyncio.all_tasks()),
            "log_bodies": log_bodies,
            "providers": providers(),
        }

    return state


def health_handler(state: Callable[[], Json]) -> Handler:
    """The handler of /health."""

    async def health(_request: HttpRequest) -> Reply:
        """The proxy's state."""
        return Reply(orjson.dumps(state()))

    return health
