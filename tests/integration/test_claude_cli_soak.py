"""Many requests through the claude CLI, some of them given up: nothing is left, and nothing grows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import openai
import pytest

from testkit.claude import ClaudeProxy, Cli, fake_cli, open_files, real_cli, until
from testkit.mock import SSE_HEADERS, MockUpstream
from testkit.process import rss_bytes
from tests.integration.anthropic_upstream import sent, stream, text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
AT_ONCE = 4
MIB = 2**20
CONNECTIONS = 2 * AT_ONCE + 1
"""What the proxy keeps to the bridge on a quiet machine. A client asks anew as soon as it has its answer's
last word, while the answer's end is still being read from the connection it came by: two for each of those at
once. And one by which the proxy asks after the bridge's state. On a busy machine more of them meet."""


@pytest.mark.parametrize(
    ("cli", "requests", "cancelled"),
    [(fake_cli(), 200, 20), (real_cli(), 20, 4)],
    ids=lambda value: value.name if isinstance(value, Cli) else str(value),
)
def test_no_process_no_file_no_growth(
    cli: Cli, requests: int, cancelled: int, mock_process: MockUpstream, mock: MockUpstream
) -> None:
    if cli.missing:
        pytest.skip(cli.missing)
    events = [piece.decode() for piece in stream(text("Half an answer"))]
    pause = {"text": "", "delay_ms": 30}  # in which a client may leave
    mock.script({"chunks": [*events[:4], pause, *events[4:]], "headers": SSE_HEADERS}, path="/messages")
    every = requests // cancelled
    with ClaudeProxy(cli, mock_process.url) as proxy:
        asyncio.run(ask_many(proxy.url, 2 * AT_ONCE, every))  # all that is made once is made
        proxy.wait_until_warm()
        before = footprint(proxy)
        endings = asyncio.run(ask_many(proxy.url, requests, every))
        proxy.wait_until_warm()
        after = footprint(proxy)
        assert endings.count("left") == cancelled
        assert endings.count("stop") == requests - cancelled
        assert len(sent(mock)) == requests + 2 * AT_ONCE
        idle = proxy.bridge_health()["pool"]["idle"]
        assert len(proxy.cli_pids()) == idle
        until(lambda: len(files(proxy, "p*")) == idle)
        assert len(files(proxy, "pids/*")) == idle
        for name, kept in before.items():
            assert after[name]["files"] <= kept["files"], name
            # if those who left kept theirs, there were as many more
            assert after[name]["connections"] <= CONNECTIONS + cancelled // 2, name
            assert after[name]["memory"] <= kept["memory"] + 40 * MIB, name
        folder = proxy.folder
        running = proxy.processes()
        assert len(running) == 3 + idle  # the proxy, the bridge, its reaper, the spares
    assert not folder.exists()


async def ask_many(url: str, count: int, every: int) -> list[str]:
    """How each of them ended; each `every`-th is given up after its first content."""
    places = asyncio.Semaphore(AT_ONCE)
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0, timeout=60) as client:

        async def one(number: int) -> str:
            question: Any = [{"role": "user", "content": f"question {number}"}]
            async with places:
                answer = await client.chat.completions.create(
                    model="claude-sonnet", messages=question, stream=True
                )
                async with answer:
                    async for chunk in answer:
                        if number % every == every - 1 and chunk.choices[0].delta.content:
                            return "left"
                        if chunk.choices[0].finish_reason:
                            return chunk.choices[0].finish_reason
            return "no end"

        return await asyncio.gather(*map(one, range(count)))


def footprint(proxy: ClaudeProxy) -> dict[str, dict[str, int]]:
    """What the two that go on hold; `files` are those that are no connection between them."""
    found = {}
    for name, pid in (("proxy", proxy.pid), ("bridge", proxy.bridge_pid())):
        connections = proxy.bridge_connections(pid)
        files = len(open_files(pid)) - connections
        found[name] = {"files": files, "connections": connections, "memory": rss_bytes(pid)}
    return found


def files(proxy: ClaudeProxy, pattern: str) -> list[Path]:
    """What lies in the run's directory; `pids` is no process's."""
    found = proxy.folder.glob(f"fastproxy-bridge-*/run-*/{pattern}")
    return [file for file in found if file.name != "pids"]
