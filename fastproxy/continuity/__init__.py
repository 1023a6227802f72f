"""What a provider must get back and clients throw away: thought signatures, thinking, reasoning.

Laws: a value belongs to the caller it was made for (its key is a digest of the caller's scope, the kind
and the tool-call id); nothing but such values is stored, never a prompt; a store that fails costs the
memory, never the request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import orjson

from fastproxy.continuity.memory import MemoryStore
from fastproxy.continuity.redis import RedisStore
from fastproxy.continuity.sqlite import SqliteStore
from fastproxy.types import Caller, ChatRequest
from fastproxy.wire.events import Carry

KINDS = ("gemini.signature", "anthropic.thinking", "deepseek.reasoning", "deepseek.reasoning_after")
MAX_VALUE_BYTES = 1024 * 1024
MAX_TOOL_CALLS = 512
"""The latest tool calls of a conversation that are looked up; providers ask for the last turns' only."""
FAILURES_UNTIL_PAUSE = 3
PAUSE_SECONDS = 5.0
"""A store that hangs would delay every request by its own timeout: after a few failures it gets a rest."""

_log = logging.getLogger("fastproxy.continuity")
T = TypeVar("T")


class Store(Protocol):
    """Where values lie, under digests, until their time is over. Any method may raise anything."""

    async def get_many(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """The value of each key, in the order of the keys; None where there is none (any more)."""
        ...

    async def put_many(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Stores the (key, value) pairs; each lives for the store's ttl from now on."""
        ...

    async def aclose(self) -> None:
        """Lets go of files and connections."""
        ...


class Continuity:
    """Remembers for a caller what its tool calls came with, and gives it back with the next request."""

    def __init__(self, store: Store, *, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._now = now
        self._failures_in_a_row = 0
        self._paused_until = 0.0
        self.failures = 0
        """How often the store failed since the start."""
        self.skipped = 0
        """How many values were too large, or no JSON, and were not kept."""

    def needs_restore(self, request: ChatRequest) -> bool:
        """Whether there is anything to look up: True where an assistant message has tool calls."""
        return any("tool_calls" in message and message["tool_calls"] for message in request.messages)

    async def restore(self, request: ChatRequest, caller: Caller) -> ChatRequest:
        """The request with `recalled` filled in; the same object where nothing was found. Never raises."""
        ids = _tool_call_ids(request) if self.needs_restore(request) else []
        if not ids:
            return request
        names = [(kind, call_id) for call_id in ids for kind in KINDS]
        keys = [_key(caller.scope, kind, call_id) for kind, call_id in names]

        async def recall() -> dict[tuple[str, str], Any]:
            values = zip(names, await self._store.get_many(keys), strict=True)
            return {name: orjson.loads(value) for name, value in values if value is not None}

        recalled = await self._shielded(recall)
        return replace(request, recalled={**request.recalled, **recalled}) if recalled else request

    async def keep(self, caller: Caller, carries: Sequence[Carry]) -> None:
        """Stores the carries for this caller: they are there when it returns. Never raises.

        Await it before the bytes that tell the client a tool-call id, or its next request may be faster.
        """
        items = [
            (_key(caller.scope, carry.kind, carry.key), value)
            for carry in carries
            if (value := self._encode(carry)) is not None
        ]
        if items:
            await self._shielded(lambda: self._store.put_many(items))

    async def aclose(self) -> None:
        """Closes the store; a fault of it is logged, not raised."""
        self._paused_until = 0.0
        await self._shielded(self._store.aclose)

    def _encode(self, carry: Carry) -> bytes | None:
        try:
            value = orjson.dumps(carry.value)
        except orjson.JSONEncodeError:
            value = b""
        if 0 < len(value) <= MAX_VALUE_BYTES:
            return value
        self.skipped += 1
        _log.warning("A %s value is too large, or no JSON, and was not kept.", carry.kind)
        return None

    async def _shielded(self, operation: Callable[[], Awaitable[T]]) -> T | None:
        """The operation's result, None where the store fails or has a rest."""
        if self._paused_until and self._now() < self._paused_until:
            return None
        try:
            result = await operation()
        except Exception as error:  # noqa: BLE001 (a driver's faults are its own; the request goes on)
            self._count_failure(error)
            return None
        self._failures_in_a_row, self._paused_until = 0, 0.0
        return result

    def _count_failure(self, error: Exception) -> None:
        self.failures += 1
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= FAILURES_UNTIL_PAUSE:
            self._paused_until = self._now() + PAUSE_SECONDS
        _log.warning(
            "The continuity store failed (%s: %.200s): the request goes on without.",
            type(error).__name__,
            error,
        )


def open_store(url: str, ttl_seconds: float, *, clock: Callable[[], float] | None = None) -> Store:
    """The store at `memory://`, `sqlite:///path` (absolute) or `redis://host:port/db` (`rediss://` for TLS).

    `clock` replaces the store's own (seconds). Raises ValueError, with what to do, where it cannot open it;
    Redis alone is not asked before the first use.
    """
    if not ttl_seconds > 0:
        raise ValueError(f"ttl_seconds must be more than 0, not {ttl_seconds}.")
    scheme, separator, _rest = url.partition("://")
    if separator and scheme == "memory":
        return MemoryStore(ttl_seconds, now=clock or time.monotonic)
    if separator and scheme == "sqlite":
        return SqliteStore(_sqlite_path(url), ttl_seconds, wall=clock or time.time)
    if separator and scheme in ("redis", "rediss"):
        return RedisStore(url, ttl_seconds)
    # Not the whole url: it may hold a password.
    raise ValueError(f"{scheme[:20]!r} is no storage: use memory://, sqlite:///path or redis://host:6379.")


def _sqlite_path(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc or parts.path in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{url!r} names no file: write sqlite:/// and an absolute path, or use memory://.")
    return parts.path


def _tool_call_ids(request: ChatRequest) -> list[str]:
    ids = {
        call["id"]: None
        for message in request.messages
        for call in message.get("tool_calls") or ()
        if isinstance(call, dict) and isinstance(call.get("id"), str)
    }
    return list(ids)[-MAX_TOOL_CALLS:]


def _key(scope: str, kind: str, call_id: str) -> bytes:
    # Neither a scope (a digest) nor a kind holds a NUL, so no two triples read the same.
    return sha256(f"{scope}\0{kind}\0{call_id}".encode("utf-8", "surrogatepass")).digest()
