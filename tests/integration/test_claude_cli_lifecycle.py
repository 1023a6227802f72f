"""The bridge to the claude CLI in the proxy's care: where it leads, and what is left after a kill."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openai
import pytest

from testkit.claude import ClaudeProxy, Cli, fake_cli, real_cli, until
from testkit.mock import SSE_HEADERS, MockUpstream
from testkit.process import is_alive
from tests.integration.anthropic_upstream import half_an_answer, refusal, reply, stream, text
from tests.integration.conftest import ONE_TRY, sdk
from tests.sdk import USER, ask

pytestmark = pytest.mark.slow
MODEL = "claude-sonnet"
WORKERS = """
[server]
workers = {workers}
[continuity]
storage = "sqlite:///{folder}/continuity.db"
"""
clis = pytest.mark.parametrize("cli", [fake_cli(), real_cli()], ids=lambda cli: cli.name)


def usable(cli: Cli) -> Cli:
    if cli.missing:
        pytest.skip(cli.missing)
    return cli


def answers(mock: MockUpstream, *replies: dict[str, Any]) -> None:
    mock.script(*replies, path="/messages")


def test_routes_may_lead_elsewhere(mock_process: MockUpstream, mock: MockUpstream) -> None:
    cli = usable(fake_cli())
    box = f'[providers.box]\nkind = "openai"\nbase_url = "{mock_process.url}/v1"\n'
    route = '[[routes]]\nmatch = "claude-opus-*"\nprovider = "box"\n'
    with ClaudeProxy(cli, mock_process.url, config=route + box, pool_size=0) as proxy, sdk(proxy) as client:
        ask(client, "claude-opus-4-1", USER, stream=False)
        ask(client, "claude-sonnet-4-5", USER, stream=False)
    assert [request.path for request in mock.requests() if request.method == "POST"] == [
        "/v1/chat/completions",
        "/v1/messages",
    ]


def test_a_usage_limit_tells_when_it_ends(mock_process: MockUpstream, mock: MockUpstream) -> None:
    cli = usable(fake_cli())
    resets = {"anthropic-ratelimit-unified-reset": str(int(time.time()) + 600)}
    answers(mock, refusal(429, "rate_limit_error", "usage limit reached", **resets))
    with (
        ClaudeProxy(cli, mock_process.url, settings=ONE_TRY, pool_size=0) as proxy,
        sdk(proxy) as client,
        pytest.raises(openai.RateLimitError) as raised,
    ):
        ask(client, MODEL, USER, stream=False)
    assert raised.value.code == "rate_limit_exceeded"
    assert 500 < int(raised.value.response.headers["retry-after"]) <= 600


@clis
def test_a_killed_cli_is_that_clients_error_alone(
    cli: Cli, mock_process: MockUpstream, mock: MockUpstream
) -> None:
    usable(cli)
    events = [piece.decode() for piece in stream(text("Half an answer"))]
    rest = [{"text": events[4], "gate": "go"}, *events[5:]]
    answers(mock, {"chunks": [*events[:4], *rest], "headers": SSE_HEADERS})
    with ClaudeProxy(cli, mock_process.url, settings=ONE_TRY, pool_size=0) as proxy, sdk(proxy) as client:
        with ExitStack() as stack:
            streams = [
                stack.enter_context(client.chat.completions.create(model=MODEL, messages=USER, stream=True))
                for _ in range(2)
            ]
            first = [next(iter(answer)) for answer in streams]
            assert len(first) == 2
            victim, _ = sorted(proxy.cli_pids())
            os.kill(victim, signal.SIGKILL)
            until(lambda: not is_alive(victim))
            mock.release("go", 2)
            ends = [ending(answer) for answer in streams]
        assert ends.count("stop") == 1
        [failure] = [end for end in ends if end != "stop"]
        assert isinstance(failure, openai.APIError)
        until(lambda: not proxy.cli_pids())
        mock.release("go")
        assert ask(client, MODEL, USER, stream=False).choices[0].message.content == "Half an answer"


def ending(answer: openai.Stream[Any]) -> object:
    """How a stream ends: its finish reason, or its error."""
    finish = None
    try:
        for chunk in answer:
            finish = chunk.choices[0].finish_reason or finish
    except openai.APIError as error:
        return error
    return finish


@pytest.mark.parametrize("workers", [1, 2])
@clis
def test_a_killed_proxy_leaves_no_process(
    cli: Cli, workers: int, mock_process: MockUpstream, mock: MockUpstream, tmp_path: Path
) -> None:
    usable(cli)
    answers(mock, {"chunks": half_an_answer(), "end": "stall", "headers": SSE_HEADERS})
    proxy = ClaudeProxy(cli, mock_process.url, WORKERS.format(workers=workers, folder=tmp_path), pool_size=1)
    with sdk(proxy) as client:
        answer = client.chat.completions.create(model=MODEL, messages=USER, stream=True)
        assert next(iter(answer)).choices
        assert len(proxy.processes()) > 3
        os.kill(proxy.pid, signal.SIGKILL)
        until(lambda: not proxy.processes(), 10)
        assert not [*proxy.folder.glob("fastproxy-bridge-*/run-*")]
        answer.close()
    proxy.stop(exit_code=-signal.SIGKILL)


@clis
def test_a_killed_bridge_leaves_no_process_and_is_started_again(
    cli: Cli, mock_process: MockUpstream, mock: MockUpstream
) -> None:
    usable(cli)
    answers(
        mock,
        {"chunks": half_an_answer(), "end": "stall", "headers": SSE_HEADERS},
        reply(text("Again."), streamed=True),
    )
    with ClaudeProxy(cli, mock_process.url, settings=ONE_TRY) as proxy, sdk(proxy) as client:
        answer = client.chat.completions.create(model=MODEL, messages=USER, stream=True)
        assert next(iter(answer)).choices
        before = proxy.cli_pids()
        bridge = proxy.bridge_pid()
        os.kill(bridge, signal.SIGKILL)
        assert isinstance(ending(answer), openai.APIError)
        until(lambda: not any(is_alive(pid) for pid in before), 10)
        proxy.wait_until_warm()
        assert proxy.bridge_pid() != bridge
        assert len([*proxy.folder.glob("fastproxy-bridge-*/run-*")]) == 1
        assert ask(client, MODEL, USER, stream=False).choices[0].message.content == "Again."
