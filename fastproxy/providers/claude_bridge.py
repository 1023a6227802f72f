"""What the bridge to the claude CLI tells of itself at /health (its status, and with the secret all else)."""

from __future__ import annotations

import orjson

from fastproxy.providers.contract import Trouble
from fastproxy.types import Json
from fastproxy.wire.anthropic.values import object_of, text_of

STARTING = Trouble("the bridge is testing the claude CLI", "wait a few seconds")
EXACT = "body"
"""The mode in which the CLI sends requests word for word."""
POOL = ("busy", "idle", "starting", "queued", "spawned")
"""claude processes by state, requests that wait for one, and how many were started in all."""
_LOGIN = "run `claude` in a terminal and log in, or set ANTHROPIC_API_KEY"
_TROUBLES = {
    "starting": STARTING,
    "stopping": Trouble("the bridge is ending", "start it again"),
    "unavailable": Trouble(
        "the bridge does not find the claude CLI",
        "install it where the bridge runs: npm install -g @anthropic-ai/claude-code",
    ),
}
_NO_BRIDGE = Trouble("bridge_url leads to no bridge", "check providers.claude.bridge_url")
_SECRET = Trouble(
    "the bridge does not take our secret",
    "set providers.claude.bridge_secret to its FASTPROXY_BRIDGE_SECRET",
)


def bridge_trouble(_status: int, body: bytes) -> Trouble | None:
    """Why the bridge cannot answer requests, None where it can."""
    told = _loaded(body)
    status = text_of(told.get("status"))
    if status in _TROUBLES:
        return _TROUBLES[status]
    if status not in ("ok", "degraded"):
        return _NO_BRIDGE
    if "cli" not in told:
        return _SECRET
    if object_of(told.get("auth")).get("credentials") is False:
        return Trouble("the claude CLI has neither a login nor a key", _LOGIN)
    return None


def bridge_state(body: bytes) -> Json:
    """The CLI's version, how requests are handed to it, whose credential it uses, and its processes."""
    told = _loaded(body)
    pool = object_of(told.get("pool"))
    return {
        "cli_version": text_of(object_of(told.get("cli")).get("version")) or "unknown",
        "mode": text_of(object_of(told.get("self_test")).get("mode")) or "unknown",
        "auth": text_of(object_of(told.get("auth")).get("mode")) or "unknown",
        "pool": {name: _count(pool.get(name)) for name in POOL},
    }


def _count(value: object) -> int:
    return value if type(value) is int else 0


def _loaded(body: bytes) -> Json:
    try:
        return object_of(orjson.loads(body))
    except orjson.JSONDecodeError:
        return {}
