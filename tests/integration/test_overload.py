"""Too many requests, a provider that fails, proxies before us: who waits, who is refused, and how it ends."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from fastproxy.checks.listen import check_listen
from fastproxy.config import ServerSettings, Settings
from testkit.mock import MockUpstream
from testkit.proxy import FastproxyProcess
from tests.integration.raw import RawClient
from tests.integration.test_lifecycle import until
from tests.integration.test_openai_sdk import chunk

CHAT = "/v1/chat/completions"
BOX = """
[providers.box]
kind = "openai"
base_url = "{url}/v1"
prefix = "box-"
"""
ERROR = {"status": 500, "json": {"error": {"message": "broken"}}}
STREAM = {
    "chunks": [
        chunk({"role": "assistant", "content": "one"}),
        {"text": chunk({}, "stop"), "gate": "go"},
        "data: [DONE]\n\n",
    ]
}


def body(*, stream: bool = False, model: str = "box-m") -> dict[str, object]:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hello"}]}


def ask(proxy: FastproxyProcess, **headers: str) -> httpx.Response:
    return httpx.post(f"{proxy.url}{CHAT}", json=body(), headers=headers, trust_env=False, timeout=20)


def get(proxy: FastproxyProcess, path: str) -> httpx.Response:
    return httpx.get(f"{proxy.url}{path}", trust_env=False, timeout=20)


def holds_its_place(proxy: FastproxyProcess, mock: MockUpstream, busy: str) -> None:
    """While one is answered the next is told to come back, and the proxy tells of its health."""
    mock.script(STREAM, model="streamed")
    with RawClient(proxy.url) as client:
        client.post(CHAT, body(stream=True, model="box-streamed"), "")
        client.read_until(b"one")
        refused = ask(proxy)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue_full")
        assert busy in refused.json()["error"]["message"]
        assert refused.headers["retry-after"] == "1"
        for path in ("/health", "/health/live", "/health/ready", "/v1/models"):
            assert get(proxy, path).status_code == 200
        mock.release("go")
        client.read_until(b"[DONE]")
    until(lambda: ask(proxy).status_code == 200)


def test_a_full_proxy_sheds_load_and_tells_of_its_health(mock: MockUpstream) -> None:
    full = "[server]\nmax_in_flight = 1\nqueue_seconds = 0.1\n"
    with FastproxyProcess(full + BOX.format(url=mock.url)) as proxy:
        holds_its_place(proxy, mock, "server.max_in_flight")


def test_so_does_one_whose_provider_is_full(mock: MockUpstream) -> None:
    full = "[server]\nqueue_seconds = 0.1\n" + BOX.format(url=mock.url)
    with FastproxyProcess(full + "max_concurrency = 1\nmax_retries = 0\n") as proxy:
        holds_its_place(proxy, mock, "providers.box.max_concurrency")


@pytest.mark.slow
def test_a_circuit_opens_is_seen_answers_at_once_and_closes_after_a_probe(mock: MockUpstream) -> None:
    care = "max_retries = 0\nbreaker_failure_threshold = 2\nbreaker_recovery_seconds = 5\n"
    mock.script(ERROR, path="/chat/completions")
    with FastproxyProcess("[server]\nmetrics_open = true\n" + BOX.format(url=mock.url) + care) as proxy:
        assert [ask(proxy).status_code for _ in range(2)] == [502, 502]
        asked = len(chats(mock))
        opened = time.monotonic()
        refused = ask(proxy)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "circuit_open")
        assert 1 <= int(refused.headers["retry-after"]) <= 5
        assert get(proxy, "/health").json()["providers"]["box"]["circuits"] == {"m": "open"}
        assert get(proxy, "/health/ready").status_code == 200
        assert "circuit" in get(proxy, "/metrics").text
        assert len(chats(mock)) == asked
        told = asyncio.run(check_listen(Settings(server=ServerSettings(port=proxy.port))))
        assert told.details == ("circuit open: box m",)
        mock.reset()
        until(lambda: ask(proxy).status_code == 200, 20)
        assert time.monotonic() - opened >= 4.5
        assert "circuits" not in get(proxy, "/health").json()["providers"]["box"]
        assert len(chats(mock)) == 1
        output = proxy.output()
    assert output.count("circuit open") == 1
    assert output.count("circuit closed") == 1


def chats(mock: MockUpstream) -> list[str]:
    return [request.path for request in mock.requests() if request.path.endswith("/chat/completions")]


def test_limits_hold_for_the_address_that_a_trusted_proxy_tells(mock: MockUpstream) -> None:
    limited = "[auth]\ninsecure = true\n[limits]\nrequests_per_minute = 1\n" + BOX.format(url=mock.url)
    told = [{"x-forwarded-for": address} for address in ("7.7.7.7", "8.8.8.8", "6.6.6.6, 7.7.7.7")]
    with FastproxyProcess('[server]\ntrusted_proxies = ["127.0.0.0/8"]\n' + limited) as proxy:
        assert [ask(proxy, **headers).status_code for headers in told] == [200, 200, 429]
    with FastproxyProcess(limited) as proxy:
        assert [ask(proxy, **headers).status_code for headers in told] == [200, 429, 429]
