"""Whether we can listen where the configuration says, and who is there if not."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator

import orjson

from fastproxy.checks.findings import Finding, State
from fastproxy.config import Settings
from fastproxy.own_health import own_url
from fastproxy.server import CannotListenError, plan
from fastproxy.types import Json
from fastproxy.upstream.probe import Unreachable, ask, open_client

ASKING_SECONDS = 2.0


async def check_listen(settings: Settings) -> Finding:
    """Whether `server.port` is free; a fastproxy that runs there already is no fault."""
    server = settings.server
    place = f"{server.host}:{server.port or 'any free port'}"
    try:
        plan(settings, {})
    except CannotListenError as error:
        if error.number == errno.EADDRINUSE:
            return await _who_is_there(settings, place)
        return Finding("listen", State.FAULT, str(error))
    return Finding("listen", State.OK, f"{place} is free" if server.port else place)


async def _who_is_there(settings: Settings, place: str) -> Finding:
    health = await _health(settings)
    version = health.get("version")
    if isinstance(version, str) and version.isprintable():
        text = f"fastproxy {version[:40]} is already running at {place}"
        remedy = "stop it before you start another, or choose another port"
        return Finding("listen", State.NOTE, text, remedy, tuple(_circuits(health)))
    return Finding(
        "listen",
        State.FAULT,
        f"another program has {place}",
        "stop it, or choose another port: server.port, or fastproxy serve --port 4001",
    )


def _circuits(health: Json) -> Iterator[str]:
    """What it leaves alone for a while."""
    for provider, told in health["providers"].items():
        circuits = told.get("circuits", {}) if isinstance(told, dict) else {}
        for model, state in circuits.items() if isinstance(circuits, dict) else ():
            line = f"circuit {state}: {provider} {model}"
            yield line[:200] if line.isprintable() else f"circuit of {provider!r}"


async def _health(settings: Settings) -> Json:
    """What /health tells there; {} where it is no fastproxy."""
    url = own_url(settings.server)
    try:
        client = await asyncio.to_thread(open_client, url, verified=False)
        async with client:
            answer = await ask(client, f"{url}/health", ASKING_SECONDS)
        health = orjson.loads(answer.body)
    except (Unreachable, orjson.JSONDecodeError):
        return {}
    is_ours = isinstance(health, dict) and isinstance(health.get("providers"), dict)
    return health if is_ours else {}
