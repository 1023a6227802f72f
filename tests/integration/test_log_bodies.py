"""--log-bodies: all that is said is in the log, but for secrets; and everybody is told that it is on."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from testkit.claude import until
from testkit.mock import SSE_HEADERS, MockUpstream
from testkit.process import Server
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY, PROVIDERS
from tests.integration.test_lifecycle import WORKERS
from tests.integration.test_openai_sdk import chunk
from tests.integration.test_streams import CHAT, ask

Json = dict[str, Any]
IMAGE = base64.b64encode(bytes(range(256)) * 4).decode()
PROMPT = [
    {"type": "text", "text": f"What is this? My keys are sk-user-4f9aZq8b and {KEY}."},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
]
SECRETS = (KEY, "sk-upstream-secret", "sk-user-4f9aZq8b", IMAGE)


@pytest.fixture(scope="module")
def talkative(mock_process: MockUpstream) -> Iterator[Server]:
    config = PROVIDERS.format(url=mock_process.url, key=KEY)
    arguments = ["serve", "--config", "fastproxy.toml", "--log-bodies"]
    environment = {"FASTPROXY_PROVIDERS__CLAUDE__ENABLED": "false"}
    with Server("fastproxy", arguments, files={"fastproxy.toml": config}, environment=environment) as running:
        yield running


def post(proxy: Server, body: Json, **headers: str) -> httpx.Response:
    given = {"authorization": f"Bearer {KEY}"} | headers
    return httpx.post(f"{proxy.url}{CHAT}", json=body, headers=given, trust_env=False, timeout=10)


def told(proxy: Server, request_id: str) -> dict[str, Json]:
    """The body lines of a request, by what they are; waits until it has ended."""

    def lines() -> dict[str, Json]:
        written = proxy.process.stderr_file.read_text().splitlines()
        found = [orjson.loads(line) for line in written if f'"{request_id}"' in line and '"body"' in line]
        return {line["what"]: line for line in found}

    until(lambda: "answer to the client" in lines(), 30)
    return lines()


@pytest.mark.parametrize("stream", [False, True])
def test_all_four_bodies_of_a_request_are_told_without_secrets(
    talkative: Server, mock: MockUpstream, stream: bool
) -> None:
    answer = "It is a cat; forget sk-model-0123456789."
    choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    whole = {"json": {"id": "c", "object": "chat.completion", "choices": [choice]}}
    pieces = [chunk({"role": "assistant", "content": answer}), chunk({}, "stop"), "data: [DONE]\n\n"]
    mock.script({"chunks": pieces, "headers": SSE_HEADERS} if stream else whole)
    request_id = f"talk-{stream}"
    body = ask("local-m", stream=stream) | {"messages": [{"role": "user", "content": PROMPT}]}
    assert answer in post(talkative, body, **{"x-request-id": request_id}).text
    lines = told(talkative, request_id)
    assert set(lines) == {
        "request of the client",
        "request to the provider",
        "answer of the provider",
        "answer to the client",
    }
    for what, line in lines.items():
        assert ("What is this?" if what.startswith("request") else "It is a cat") in line["body"]
        assert line["level"] == "info"
    asked = lines["request of the client"]
    assert asked["bytes"] > len(IMAGE)
    assert f"{len(IMAGE)} characters of base64" in asked["body"]
    assert "[DONE]" in lines["answer to the client"]["body"] or not stream
    assert not [secret for secret in (*SECRETS, "sk-model") if secret in talkative.output()]


def test_it_says_loudly_that_it_is_on(talkative: Server) -> None:
    screen, log = (
        talkative.process.stdout_file.read_text(),
        talkative.process.stderr_file.read_text().splitlines(),
    )
    assert "WARNING" in screen
    assert "server.log_bodies" in screen
    warnings = [line for line in map(orjson.loads, log) if line["event"] == "bodies are logged"]
    assert [line["level"] for line in warnings] == ["warning"]
    assert httpx.get(f"{talkative.url}/health", trust_env=False).json()["log_bodies"] is True


def test_without_it_nothing_that_is_said_is_told(proxy: FastproxyProcess) -> None:
    body = ask("demo-echo", stream=False) | {"messages": [{"role": "user", "content": "Zq9 my prompt"}]}
    assert "Zq9 my prompt" in post(proxy, body).text
    assert httpx.get(f"{proxy.url}/health", trust_env=False).json()["log_bodies"] is False
    assert "Zq9" not in proxy.output()
    assert "WARNING" not in proxy.output()


@pytest.mark.slow
def test_each_worker_says_it(mock_process: MockUpstream, tmp_path: Path) -> None:
    config = PROVIDERS.format(url=mock_process.url, key=KEY)
    workers = WORKERS.format(folder=tmp_path).replace("[server]", "[server]\nlog_bodies = true")
    with FastproxyProcess(workers + config) as proxy:
        until(lambda: proxy.output().count('"bodies are logged"') == 2, 30)


def test_bodies_that_nobody_would_see_are_refused() -> None:
    with pytest.raises(RuntimeError, match="log_bodies writes lines of level info: set log_level"):
        FastproxyProcess('[server]\nlog_bodies = true\nlog_level = "warning"\n')
