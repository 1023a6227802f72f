"""Limits that two proxies share through a real Redis, and what happens when it goes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from testkit.mock import MockUpstream
from testkit.proxy import FastproxyProcess
from testkit.redis_server import BINARY, RedisServer
from tests.integration.conftest import KEY, OTHER_KEY

CHAT = "/v1/chat/completions"
CONFIG = """
[auth]
keys = [{{ name = "tests", key = "{key}" }}, {{ name = "free", key = "{other}", requests_per_minute = 0 }}]
[limits]
storage = "{storage}"
on_failure = "{on_failure}"
requests_per_minute = {requests}
[providers.local]
kind = "openai"
base_url = "{url}/v1"
prefix = "local-"
"""
needs_redis = pytest.mark.skipif(BINARY is None, reason="redis-server is not installed")


def config(mock: MockUpstream, storage: str, requests: int = 100, on_failure: str = "open") -> str:
    return CONFIG.format(
        key=KEY, other=OTHER_KEY, storage=storage, on_failure=on_failure, requests=requests, url=mock.url
    )


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def body(model: str = "local-m") -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}]}


async def ask(
    client: httpx.AsyncClient, proxy: FastproxyProcess, key: str = KEY, model: str = "local-m"
) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return await client.post(f"{proxy.url}{CHAT}", json=body(model), headers=headers)


@needs_redis
@pytest.mark.slow
async def test_of_250_concurrent_requests_at_two_proxies_exactly_100_pass(
    mock_process: MockUpstream, mock: MockUpstream, redis: RedisServer
) -> None:
    with ExitStack() as stack:
        proxies = [stack.enter_context(FastproxyProcess(config(mock_process, redis.url))) for _ in range(2)]
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            answers = await asyncio.gather(*(ask(client, proxies[n % 2]) for n in range(250)))
            free = await ask(client, proxies[0], OTHER_KEY)
    assert Counter(answer.status_code for answer in answers) == {200: 100, 429: 150}
    assert sum(request.path.endswith("/chat/completions") for request in mock.requests()) == 101
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-limit-requests"] == "100"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert "x-ratelimit-limit-requests" not in free.headers


@needs_redis
@pytest.mark.slow
@pytest.mark.parametrize("fault", ["killed", "frozen"])
@pytest.mark.parametrize(("on_failure", "status"), [("open", 200), ("closed", 503)])
async def test_a_redis_that_goes_under_load_holds_nobody_for_a_second(
    mock_process: MockUpstream,
    mock: MockUpstream,
    redis: RedisServer,
    fault: str,
    on_failure: str,
    status: int,
) -> None:
    with FastproxyProcess(config(mock_process, redis.url, 10_000, on_failure)) as proxy:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            assert (await ask(client, proxy)).headers["x-ratelimit-remaining-requests"] == "9999"
            before = await asyncio.gather(*(timed(client, proxy, 5) for _ in range(8)))
            load = [asyncio.create_task(timed(client, proxy, 30)) for _ in range(8)]
            await asyncio.sleep(0.1)
            redis.kill() if fault == "killed" else redis.freeze()
            seen = [one for task in load for one in await task]
            later = [await timed(client, proxy, 5)]
            redis.start() if fault == "killed" else redis.thaw()
            await asyncio.sleep(1.1)  # so long a storage that failed is not asked
            back = await ask(client, proxy)
        output = proxy.output()
    assert {status for status, _ in seen} <= {200, status}
    assert {status for status, _ in later[0]} == {status}
    usual = max(seconds for answers in before for _, seconds in answers)  # a machine may be busy
    assert max(seconds for _, seconds in [*seen, *later[0]]) < 1.0 + usual
    assert back.status_code == 200
    assert "x-ratelimit-remaining-requests" in back.headers
    assert output.count("the storage of the rate limits does not answer") == 1
    assert output.count("the storage of the rate limits answers again") == 1


async def timed(client: httpx.AsyncClient, proxy: FastproxyProcess, times: int) -> list[tuple[int, float]]:
    found = []
    for _ in range(times):
        began = time.monotonic()
        status = (await ask(client, proxy)).status_code
        found.append((status, time.monotonic() - began))
    return found


@needs_redis
async def test_tokens_are_settled_in_redis_as_well(mock_process: MockUpstream, redis: RedisServer) -> None:
    text = config(mock_process, redis.url, 0).replace("[providers", "tokens_per_minute = 10000\n[providers")
    with FastproxyProcess(text) as proxy:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            big = {**body(), "max_tokens": 9000}
            headers = {"authorization": f"Bearer {KEY}"}
            first = await client.post(f"{proxy.url}{CHAT}", json=big, headers=headers)
            assert int(first.headers["x-ratelimit-remaining-tokens"]) < 1000
            used = first.json()["usage"]["total_tokens"]
            for _ in range(50):  # it is settled soon, not at once
                again = await client.post(f"{proxy.url}{CHAT}", json=body(), headers=headers)
                if int(again.headers["x-ratelimit-remaining-tokens"]) > 9000:
                    break
                await asyncio.sleep(0.02)
    assert first.status_code == 200
    assert 9000 < int(again.headers["x-ratelimit-remaining-tokens"]) <= 10_000 - used


MODELS = """
[[limits.models]]
match = "local-big*"
requests_per_minute = 5
[providers"""


@needs_redis
@pytest.mark.slow
async def test_two_proxies_share_the_limit_of_a_model_and_who_is_refused_takes_nothing_else(
    mock_process: MockUpstream, redis: RedisServer
) -> None:
    text = config(mock_process, redis.url, 40).replace("[providers", MODELS, 1)
    with ExitStack() as stack:
        proxies = [stack.enter_context(FastproxyProcess(text)) for _ in range(2)]
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            names = ("local-big", "local/big", "local-bigger")
            big = [await ask(client, proxies[n % 2], model=names[n % 3]) for n in range(20)]
            other = await ask(client, proxies[0])
            free = [await ask(client, proxies[n % 2], OTHER_KEY, "local-big") for n in range(6)]
    assert [answer.status_code for answer in big] == [200] * 5 + [429] * 15
    assert big[0].headers["x-ratelimit-limit-requests"] == "5"
    assert big[-1].json()["error"]["message"] == (
        "The limit of 5 requests a minute for the models local-big* is reached."
    )
    assert 1 <= int(big[-1].headers["retry-after"]) <= 120
    assert other.headers["x-ratelimit-remaining-requests"] == "34"
    assert [answer.status_code for answer in free] == [200] * 5 + [429]


async def test_in_memory_one_process_counts_for_itself(mock_process: MockUpstream) -> None:
    with FastproxyProcess(config(mock_process, "memory://", 3)) as proxy:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            answers = [await ask(client, proxy) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
