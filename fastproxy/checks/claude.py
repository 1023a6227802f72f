"""The claude CLI and its bridge: asked where the bridge runs, else a bridge is started for a few seconds.

Its self-test runs the CLI against a server of its own: nothing reaches Anthropic, and no token is spent.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from fastproxy.checks.findings import Finding, State
from fastproxy.config import BridgeLaunch
from fastproxy.providers.claude_bridge import EXACT, STARTING, bridge_state, bridge_trouble
from fastproxy.types import Deployment
from fastproxy.upstream.bridge import free_port
from fastproxy.upstream.probe import Unreachable, ask, open_client

START_SECONDS = 10.0
"""For Node, the CLI's version and the self-test; a cold disk takes some seconds."""
END_SECONDS = 3.0
_QUESTION_SECONDS = 5.0
_PAUSE_SECONDS = 0.1
_AUTH = {"key": "uses an API key", "token": "uses an OAuth token", "login": "uses your own login"}
_INEXACT = {
    "replay": "it takes earlier turns, but no parameters, tools or thinking",
    "flattened": "it takes a conversation as one text only",
}
_ENDED = (
    "the bridge to the claude CLI ended at its start",
    "update Node.js to 20 or newer; the log of `fastproxy serve` has the bridge's own words",
)


async def check_claude(name: str, place: Deployment, launch: BridgeLaunch | None) -> Finding:
    """What the bridge tells of itself and of the CLI. Raises Unreachable."""
    if place.base_url or launch is None:
        return _finding(name, await _health(place, lambda: False), f"bridge at {place.base_url}")
    async with _short_lived(launch, place) as (started, runs):
        return _finding(name, await _health(started, runs), f"Node.js {await _node_version(launch.node)}")


async def _health(place: Deployment, coming: Callable[[], bool]) -> bytes:
    """The body of /health once the self-test has ended. `coming`: whether it may yet begin to listen."""
    limit = time.monotonic() + START_SECONDS
    client = await asyncio.to_thread(open_client, place.base_url)
    async with client:
        while True:
            try:
                url = f"{place.base_url}/health"
                answer = await ask(client, url, _QUESTION_SECONDS, headers=place.headers)
                trouble = bridge_trouble(answer.status, answer.body)
            except Unreachable as error:
                if not (error.refused and coming()) or time.monotonic() > limit:
                    raise
                trouble = STARTING
            if trouble is None:
                return answer.body
            if trouble is not STARTING or time.monotonic() > limit:
                raise Unreachable(*trouble)
            await asyncio.sleep(_PAUSE_SECONDS)


@asynccontextmanager
async def _short_lived(
    launch: BridgeLaunch, place: Deployment
) -> AsyncIterator[tuple[Deployment, Callable[[], bool]]]:
    """A bridge without spares, and whether it runs still; it ends with its standard input."""
    port, secret = free_port(), secrets.token_hex(32)
    process = await asyncio.create_subprocess_exec(
        launch.node,
        launch.bundle,
        env=launch.environment_at(port, secret) | {"FASTPROXY_BRIDGE_POOL_SIZE": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started = replace(
        place, base_url=f"http://127.0.0.1:{port}", headers=(("x-fastproxy-bridge-secret", secret),)
    )
    try:
        yield started, lambda: process.returncode is None
    except Unreachable:
        if process.returncode is None:
            raise
        raise Unreachable(*_ENDED) from None
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(END_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _node_version(node: str) -> str:
    process = await asyncio.create_subprocess_exec(node, "--version", stdout=subprocess.PIPE)
    told, _ = await process.communicate()
    return told.decode("utf-8", "replace").strip().removeprefix("v")


def _finding(name: str, body: bytes, by: str) -> Finding:
    state = bridge_state(body)
    auth = _AUTH.get(state["auth"], "uses the bridge's own credential")
    text = f"claude CLI {state['cli_version']}, {auth}, {by}"
    unverified = "not verified: that Anthropic takes this credential (there is no free question)"
    if state["mode"] == EXACT:
        return Finding(name, State.OK, f"{text}, self-test passed", details=(unverified,))
    return Finding(
        name,
        State.NOTE,
        f"{text}; this version does not take requests word for word: {_INEXACT.get(state['mode'], '')}",
        "install a version that docs/bridge.md names as tested",
    )
