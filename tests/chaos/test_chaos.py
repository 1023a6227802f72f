"""Many clients, three providers that fail in every way, a Redis that dies: every request ends, and says how.

`make chaos` runs it for a minute; as part of the tests it takes seconds. The faults come from a fixed seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from typing import Any

import httpx
import orjson
import pytest

from testkit.mock import CLOSES, GARBAGE, HALF_A_HEAD, NEVER_ANSWERS, RESETS, SSE_HEADERS, MockUpstream
from testkit.proxy import FastproxyProcess
from testkit.redis_server import BINARY, RedisServer

SECONDS = 60 if os.environ.get("FASTPROXY_CHAOS") == "long" else 8  # noqa: TID251
WARM_UP_SECONDS = 12
"""At least, and up to 60 on a busy machine: until every provider has the HTTP clients that this many
callers take. Redis dies in it, too: without it requests reach the providers faster, and take more of them."""
CLIENTS = 200
LONGEST_SECONDS = 15.0
IDLE_TASKS = 10
"""The server's own, the questions about health, and those of discovery."""
MiB = 1024 * 1024
PROVIDERS = ("red", "green", "blue")

CONFIG = """
[limits]
storage = "{redis}"
on_failure = "open"
requests_per_minute = 1000000
"""
TABLE = """
[providers.{name}]
kind = "openai"
base_url = "{url}/{name}/v1"
prefix = "{name}-"
connect_timeout = 1
first_token_timeout = 0.5
idle_timeout = 0.5
total_timeout = 5
max_retries = 1
max_concurrency = 80
breaker_failure_threshold = 5
breaker_recovery_seconds = 0.3
"""


def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return f"data: {orjson.dumps({**head, 'choices': [choice]}).decode()}\n\n"


BEGIN, WORD, END = chunk({"role": "assistant", "content": "a"}), chunk({"content": "b"}), chunk({}, "stop")
STREAM = {"headers": SSE_HEADERS, "chunks": [BEGIN, WORD, END, "data: [DONE]\n\n"]}
MESSAGE = {"index": 0, "message": {"role": "assistant", "content": "ab"}, "finish_reason": "stop"}
WHOLE = {"json": {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [MESSAGE]}}
ERRORS = [{"status": status, "json": {"error": {"message": "no"}}} for status in (400, 429, 500, 503)]
FAULTS: list[dict[str, Any]] = [
    *ERRORS,
    RESETS,
    CLOSES,
    NEVER_ANSWERS,
    HALF_A_HEAD,
    GARBAGE,
    {"status": 502, "body": "<html>bad gateway</html>"},
]
CUTS: list[dict[str, Any]] = [
    {"headers": SSE_HEADERS, "chunks": [BEGIN, WORD], "end": end} for end in ("close", "reset", "stall")
]


def replies(kind: str, dice: random.Random) -> list[dict[str, Any]]:
    good = STREAM if kind == "stream" else WHOLE
    bad = FAULTS + (CUTS if kind == "stream" else [])
    slow = {**good, "delay_before_ms": 200}
    return [
        good if dice.random() < 0.6 else dice.choice([*bad, slow, {**good, "split_bytes": 7}])
        for _ in range(97)
    ]


async def ask(port: int, model: str, *, stream: bool, leave_after: float | None) -> str:
    """One request over a socket of its own; how it ended."""
    body = orjson.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head.encode() + body)
        if leave_after is not None:
            await asyncio.sleep(leave_after)
            return "left"
        async with asyncio.timeout(LONGEST_SECONDS):
            return judge(await reader.read(), stream=stream)
    except TimeoutError:
        return "HUNG"
    except ConnectionError:
        return "CUT"
    finally:
        writer.close()


def judge(answer: bytes, *, stream: bool) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "):
        return "CUT"
    status = int(head[9:12])
    if status != 200:
        return f"error {status}" if b'"error":{"message":"' in body else f"UNCLEAR {status}"
    if not stream:
        return "whole" if b'"choices"' in body else "UNCLEAR 200"
    ended = body.endswith(b"\r\n0\r\n\r\n")
    done, told = b"data: [DONE]" in body, b'data: {"error":{"message":"' in body
    if done and not told and ended and b'"finish_reason":"stop"' in body:
        return "whole"
    return "error in the stream" if told and not done else "LOOKS WHOLE"


async def storm(port: int, seconds: float, dice: random.Random) -> Counter[str]:
    ends: Counter[str] = Counter()
    until = time.monotonic() + seconds

    async def client() -> None:
        while time.monotonic() < until:
            stream = dice.random() < 0.5
            model = f"{dice.choice(PROVIDERS)}-{'stream' if stream else 'whole'}"
            leave = dice.random() * 0.3 if dice.random() < 0.1 else None
            ends[await ask(port, model, stream=stream, leave_after=leave)] += 1

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return ends


async def redis_dies(redis: RedisServer | None, seconds: float) -> None:
    if redis is not None:
        await asyncio.sleep(seconds / 3)
        await asyncio.to_thread(redis.kill)
        await asyncio.sleep(seconds / 3)
        await asyncio.to_thread(redis.start)


async def idle(proxy: FastproxyProcess) -> None:
    """Returns when no request, place or task is left; an AssertionError where something stays."""
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(200):
            state = (await client.get(f"{proxy.url}/health")).json()
            gates = [state, *(state["providers"][name] for name in PROVIDERS)]
            left = sum(gate.get("in_flight", 0) + gate.get("waiting", 0) for gate in gates)
            if not left and state["tasks"] <= IDLE_TASKS:
                return
            await asyncio.sleep(0.05)
    raise AssertionError(f"something is left: {state}")


async def warm(proxy: FastproxyProcess, redis: RedisServer | None, dice: random.Random) -> int:
    """The resident memory after which no round of the same storm takes 1 MiB more, in bytes."""
    warmed = 0
    for seconds in (WARM_UP_SECONDS, *[WARM_UP_SECONDS / 2] * 8):
        await asyncio.gather(storm(proxy.port, seconds, dice), redis_dies(redis, seconds))
        await idle(proxy)
        before, warmed = warmed, max(warmed, proxy.worker_rss_bytes())
        if warmed - before < MiB:
            break
    return warmed


@pytest.mark.slow
@pytest.mark.timeout(SECONDS * 2 + 150)
async def test_every_request_ends_whole_or_with_a_clear_error_and_nothing_is_left() -> None:
    dice = random.Random(20260101)
    with contextlib.ExitStack() as stack:
        mock = stack.enter_context(MockUpstream())
        redis = stack.enter_context(RedisServer()) if BINARY else None
        for name in PROVIDERS:
            for kind in ("stream", "whole"):
                mock.script(*replies(kind, dice), path=f"/{name}/v1/chat/completions", model=kind)
        config = "".join(TABLE.format(name=name, url=mock.url) for name in PROVIDERS)
        limits = CONFIG.format(redis=redis.url if redis else "memory://")
        routes = "".join(
            f'[[routes]]\nmatch = "{name}-{kind}"\nprovider = "{name}"\n'
            f"fallback = {[f'{other}-{kind}' for other in PROVIDERS if other != name]}\n"
            for name in PROVIDERS
            for kind in ("stream", "whole")
        )
        proxy = stack.enter_context(FastproxyProcess(limits + config + routes))
        warmed = await warm(proxy, redis, dice)
        ends, _ = await asyncio.gather(storm(proxy.port, SECONDS, dice), redis_dies(redis, SECONDS))
        await idle(proxy)
        grown = proxy.worker_rss_bytes() - warmed
        bad = {end: count for end, count in ends.items() if end.isupper() or end.startswith("UNCLEAR")}
        assert not bad, f"{bad} among {ends}"
        assert ends["whole"] > 100, ends
        assert grown < 10 * MiB, f"grew by {grown / MiB:.1f} MiB over {sum(ends.values())} requests"
        for _ in range(100):
            if mock.stats()["in_flight"] <= 1:  # the question itself
                break
            await asyncio.sleep(0.05)
        assert mock.stats()["in_flight"] <= 1
        assert "Traceback" not in proxy.output()
