"""Server-Timing: where the time of an answer went, whether it is good or an error."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from testkit.mock import SSE_HEADERS, MockUpstream
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY, ONE_TRY, PROVIDERS
from tests.integration.test_openai_sdk import chunk
from tests.integration.test_streams import CHAT, ask

PARTS = ("auth", "limit", "upstream", "proxy")
ONE_PLACE = "[server]\nmax_in_flight = 1\nqueue_seconds = 10\n"
ONE_AT_THE_PROVIDER = f"""
[providers.narrow]
kind = "openai"
base_url = "{{url}}/v1"
prefix = "narrow-"
max_concurrency = 1
{ONE_TRY}"""


def parts(headers: Mapping[str, str]) -> dict[str, float]:
    """The header as W3C defines it: name;dur=milliseconds, …"""
    pieces = (piece.strip().split(";dur=") for piece in headers["server-timing"].split(","))
    return {name: float(duration) for name, duration in pieces}


def post(proxy: FastproxyProcess, body: Any, path: str = CHAT, key: str = KEY) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(f"{proxy.url}{path}", json=body, headers=headers, trust_env=False, timeout=20)


MESSAGES = [{"role": "user", "content": "hello"}]
ANSWERS = [
    pytest.param(CHAT, {"model": "demo-echo", "messages": MESSAGES}, KEY, 200, id="whole"),
    pytest.param(CHAT, {"model": "demo-echo", "messages": MESSAGES, "stream": True}, KEY, 200, id="stream"),
    pytest.param("/v1/messages", {"model": "demo-echo", "max_tokens": 9, "messages": MESSAGES}, KEY, 200),
    pytest.param("/v1/responses", {"model": "demo-echo", "input": "hello"}, KEY, 200, id="responses"),
    pytest.param("/v1/messages/count_tokens", {"model": "demo-echo", "messages": MESSAGES}, KEY, 200),
    pytest.param("/v1/embeddings", {"model": "local-e", "input": "x"}, KEY, 200, id="embeddings"),
    pytest.param(CHAT, {"model": "demo-echo", "messages": MESSAGES}, "sk-wrong-key", 401, id="no-key"),
    pytest.param(CHAT, {"model": "nobody-has-it", "messages": MESSAGES}, KEY, 404, id="no-model"),
    pytest.param(CHAT, ["no object"], KEY, 400, id="no-object"),
    pytest.param(CHAT, {"model": "local-m", "messages": MESSAGES}, KEY, 502, id="provider-fails"),
    pytest.param(CHAT, {"model": "local-m", "messages": MESSAGES, "stream": True}, KEY, 502, id="no-stream"),
]


@pytest.mark.parametrize(("path", "body", "key", "status"), ANSWERS)
def test_every_answer_tells_where_its_time_went(
    proxy: FastproxyProcess, mock: MockUpstream, path: str, body: Any, key: str, status: int
) -> None:
    mock.script({"status": 500, "json": {"error": {"message": "no"}}}, path="/chat/completions")
    vector = {"object": "embedding", "index": 0, "embedding": [0.5]}
    mock.script({"json": {"object": "list", "data": [vector], "model": "e"}}, path="/embeddings")
    answer = post(proxy, body, path, key)
    assert answer.status_code == status
    told = parts(answer.headers)
    assert tuple(told) == PARTS
    assert told["proxy"] > 0
    somebody_was_asked = status in (200, 502) and not path.endswith("/count_tokens")
    assert (told["upstream"] > 0) == somebody_was_asked


@pytest.fixture(scope="module")
def narrow(mock_process: MockUpstream) -> Iterator[FastproxyProcess]:
    tables = PROVIDERS + ONE_AT_THE_PROVIDER
    with FastproxyProcess(tables.format(url=mock_process.url, key=KEY)) as running:
        yield running


@pytest.fixture(scope="module")
def full(mock_process: MockUpstream) -> Iterator[FastproxyProcess]:
    with FastproxyProcess(ONE_PLACE + PROVIDERS.format(url=mock_process.url, key=KEY)) as running:
        yield running


@pytest.mark.parametrize(("which", "model"), [("full", "local-m"), ("narrow", "narrow-m")])
def test_waiting_for_a_place_is_told_as_the_limits_time(
    request: pytest.FixtureRequest, mock: MockUpstream, which: str, model: str
) -> None:
    proxy: FastproxyProcess = request.getfixturevalue(which)
    end = [chunk({}, "stop"), "data: [DONE]\n\n"]
    mock.script(
        {
            "chunks": [chunk({"content": "one"}), {"text": end[0], "gate": "go"}, end[1]],
            "headers": SSE_HEADERS,
        }
    )
    headers = {"authorization": f"Bearer {KEY}"}
    timings: list[dict[str, float]] = []
    with httpx.Client(base_url=proxy.url, headers=headers, trust_env=False, timeout=20) as client:
        with client.stream("POST", CHAT, json=ask(model)) as first:
            pieces = first.iter_raw()
            next(pieces)

            def second() -> None:
                with client.stream("POST", CHAT, json=ask(model)) as answer:
                    timings.append(parts(answer.headers))

            waiting = threading.Thread(target=second)
            waiting.start()
            while not _waiting(client):
                pass
            mock.release("go", 2)
            for _ in pieces:
                pass
        waiting.join(10)
    assert timings[0]["limit"] > 0
    assert timings[0]["proxy"] >= timings[0]["limit"]


def _waiting(client: httpx.Client) -> int:
    state = client.get("/health").json()
    narrow = state["providers"].get("narrow", {}).get("waiting", 0)
    return int(state["waiting"]) + int(narrow)
