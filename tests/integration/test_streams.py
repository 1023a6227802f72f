"""Streams through the running proxy: as they are made, bounded, cancelled, and never half a lie."""

from __future__ import annotations

import time

import pytest

from testkit.mock import MockUpstream
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY, PROVIDERS
from tests.integration.raw import RawClient
from tests.integration.test_openai_sdk import chunk

CHAT = "/v1/chat/completions"
MiB = 1024 * 1024


def ask(model: str = "deepseek-chat", *, stream: bool = True) -> dict[str, object]:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hello"}]}


def test_event_k_plus_1_is_sent_only_after_the_client_has_read_event_k(
    proxy: FastproxyProcess, mock: MockUpstream
) -> None:
    """Causality instead of a clock: a proxy that buffers would wait here for ever."""
    events = [
        {
            "text": chunk({"role": "assistant", "content": f"<{k}>"} if k == 0 else {"content": f"<{k}>"}),
            "gate": "next",
        }
        for k in range(100)
    ]
    # a question about models, which the proxy asks by itself, must not take one of the releases
    mock.script({"chunks": [*events, chunk({}, "stop"), "data: [DONE]\n\n"]}, method="POST")
    with RawClient(proxy.url) as client:
        client.post(CHAT, ask(), KEY)
        for k in range(100):
            mock.release("next")
            client.read_until(b"<%d>" % k)
        client.read_until(b"data: [DONE]")


@pytest.mark.parametrize("split_bytes", [1, 3, 7, 64])
def test_the_same_bytes_come_out_however_they_were_cut(
    proxy: FastproxyProcess, mock: MockUpstream, split_bytes: int
) -> None:
    text = "".join(
        [
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": "naïve 日本 \u2028 🎈"}),
            chunk({}, "stop"),
            "data: [DONE]\n\n",
        ]
    )
    answers = []
    for split in (0, split_bytes):
        mock.script({"chunks": [text.replace("\n", "\r\n")], "split_bytes": split})
        with RawClient(proxy.url) as client:
            client.post(CHAT, ask(), KEY)
            client.read_until(b"data: [DONE]\n\n")
        body = b"".join(line + b"\n" for line in client.seen.split(b"\n") if line.startswith(b"data:"))
        answers.append(body)
    assert answers[0] == answers[1]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "unary"])
def test_a_client_that_leaves_before_the_answer_cancels_the_upstream_request(
    proxy: FastproxyProcess, mock: MockUpstream, stream: bool
) -> None:
    mock.script({"gate": "never"})
    client = RawClient(proxy.url)
    client.post(CHAT, ask(stream=stream), KEY)
    mock.wait("received")
    client.close()
    assert any(request.aborted for request in mock.wait("aborted", timeout=3))


def test_a_client_that_leaves_while_nothing_flows_cancels_the_upstream_request(
    proxy: FastproxyProcess, mock: MockUpstream
) -> None:
    mock.script({"chunks": [chunk({"role": "assistant", "content": "one"})], "end": "stall"})
    client = RawClient(proxy.url)
    client.post(CHAT, ask(), KEY)
    client.read_until(b"one")
    client.close()
    assert any(request.aborted for request in mock.wait("aborted", timeout=3))


def test_a_client_that_leaves_in_mid_flow_cancels_the_upstream_request(
    proxy: FastproxyProcess, mock: MockUpstream
) -> None:
    mock.script(
        {
            "chunks": [chunk({"role": "assistant", "content": "word"})],
            "repeat": 100_000,
            "delay_between_ms": 1,
        }
    )
    client = RawClient(proxy.url)
    client.post(CHAT, ask(), KEY)
    client.read_until(b"word")
    client.close()
    assert any(request.aborted for request in mock.wait("aborted", timeout=3))


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_stream_that_breaks_ends_with_an_error_and_without_done(
    proxy: FastproxyProcess, mock: MockUpstream, end: str
) -> None:
    mock.script({"chunks": [chunk({"role": "assistant", "content": "half"})], "end": end})
    with RawClient(proxy.url) as client:
        client.post(CHAT, ask(), KEY)
        seen = client.read_until(b'data: {"error"')
        seen = client.read_until(b"0\r\n\r\n")
    assert b"[DONE]" not in seen


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_stream_that_breaks_before_its_first_content_is_an_ordinary_error(
    proxy: FastproxyProcess, mock: MockUpstream, end: str
) -> None:
    mock.script({"chunks": [chunk({"role": "assistant"}), ": keep-alive\n\n"], "end": end})
    with RawClient(proxy.url) as client:
        client.post(CHAT, ask(), KEY)
        assert client.read_until(b"\r\n\r\n{").startswith(b"HTTP/1.1 502 ")


def test_clients_that_do_not_read_stop_our_reading(mock_process: MockUpstream, mock: MockUpstream) -> None:
    """Three clients that never read a fast 500 MB stream: a worker without backpressure would hold it."""
    piece = chunk({"role": "assistant", "content": "x" * 50_000})
    mock.script({"chunks": [piece], "repeat": 10_000}, path="/chat/completions")
    with FastproxyProcess(PROVIDERS.format(url=mock_process.url, key=KEY)) as proxy:
        with RawClient(proxy.url) as warm:
            warm.post(CHAT, ask("demo-echo"), KEY)
            warm.read_until(b"[DONE]")
        before = proxy.worker_rss_bytes()
        clients = [RawClient(proxy.url, receive_buffer=4096) for _ in range(3)]
        for client in clients:
            client.post(CHAT, ask(), KEY)
        mock.wait("received", at_least=3)
        grown = steady_growth(proxy, before)
        for client in clients:
            client.close()
        assert grown < 60 * MiB
        assert all(request.sent < 100 * MiB for request in mock.requests())


def steady_growth(proxy: FastproxyProcess, before: int) -> int:
    """How much the worker has grown once it grows no more (bounded wait)."""
    last, still = 0, 0
    for _ in range(100):
        now = proxy.worker_rss_bytes() - before
        still = still + 1 if now <= last + 256 * 1024 else 0
        last = max(last, now)
        if still >= 10:
            break
        time.sleep(0.05)
    return last


def test_a_late_first_content_is_bridged_by_heartbeats(
    mock_process: MockUpstream, mock: MockUpstream
) -> None:
    config = PROVIDERS.format(url=mock_process.url, key=KEY) + "[server]\nheartbeat_seconds = 0.1\n"
    mock.script(
        {
            "chunks": [
                chunk({"role": "assistant", "content": "late"}),
                chunk({}, "stop"),
                "data: [DONE]\n\n",
            ],
            "gate": "go",
        },
        method="POST",
    )
    with FastproxyProcess(config) as proxy, RawClient(proxy.url) as client:
        client.post(CHAT, ask(), KEY)
        client.read_until(b": ping\n")
        mock.release("go")
        seen = client.read_until(b"[DONE]")
    assert b"late" in seen
    assert b"x-fastproxy-provider: deepseek" in seen
    assert b": ping\n\n" not in seen.replace(b"\r\n", b"")


def test_a_fault_after_a_heartbeat_is_told_in_the_stream(
    mock_process: MockUpstream, mock: MockUpstream
) -> None:
    config = PROVIDERS.format(url=mock_process.url, key=KEY) + "[server]\nheartbeat_seconds = 0.1\n"
    mock.script({"status": 429, "json": {"error": {"message": "too much"}}, "gate": "go"}, method="POST")
    with FastproxyProcess(config) as proxy, RawClient(proxy.url) as client:
        client.post(CHAT, ask(), KEY)
        client.read_until(b": ping\n")
        mock.release("go")
        seen = client.read_until(b"0\r\n\r\n")
    assert b'data: {"error":{"message":"' in seen
    assert b"too much" in seen
    assert b"[DONE]" not in seen


TIMEOUTS = """
first_token_timeout = 0.3
idle_timeout = 0.3
"""


def test_a_provider_that_never_begins_is_a_504(mock_process: MockUpstream, mock: MockUpstream) -> None:
    mock.script({"chunks": [": keep-alive\n\n"] * 100, "delay_between_ms": 50})
    with FastproxyProcess(PROVIDERS.format(url=mock_process.url, key=KEY) + TIMEOUTS) as proxy:
        with RawClient(proxy.url) as client:
            client.post(CHAT, ask("local-m"), KEY)
            seen = client.read_until(b"first_token_timeout")
        assert seen.startswith(b"HTTP/1.1 504 ")
        assert any(request.aborted for request in mock.wait("aborted", timeout=3))


def test_a_provider_that_falls_silent_is_an_error_in_the_stream(
    mock_process: MockUpstream, mock: MockUpstream
) -> None:
    mock.script({"chunks": [chunk({"role": "assistant", "content": "one"})], "end": "stall"})
    with FastproxyProcess(PROVIDERS.format(url=mock_process.url, key=KEY) + TIMEOUTS) as proxy:
        with RawClient(proxy.url) as client:
            client.post(CHAT, ask("local-m"), KEY)
            seen = client.read_until(b"idle_timeout")
        assert seen.startswith(b"HTTP/1.1 200 ")
        assert b"[DONE]" not in seen
