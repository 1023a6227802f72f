"""What is overheard where bodies are logged: everything once, bounded, and nothing is changed by it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from fastproxy.observability.bodies import KEPT_BYTES, TOLD_CHARACTERS, BodyLog
from fastproxy.observability.redaction import Redactor
from fastproxy.types import Deployment, UpstreamRequest
from tests.fakes import FakeResponse, FakeUpstream

Json = dict[str, Any]
BOX = Deployment("box", "openai", "m", "https://box.example")


@pytest.fixture
def lines() -> Iterator[list[Json]]:
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured  # type: ignore[misc]


@pytest.fixture
def log(lines: list[Json]) -> BodyLog:
    return BodyLog(Redactor(["hunter2-and-more"]))


async def served(log: BodyLog, *bodies: bytes, method: str = "POST", **headers: str) -> list[Json]:
    """What the client gets of an app that answers with what it was sent, in two pieces."""
    waiting = [
        {"type": "http.request", "body": body, "more_body": number < len(bodies) - 1}
        for number, body in enumerate(bodies)
    ]
    sent: list[Json] = []

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        await send({"type": "http.response.start", "status": 201, "headers": scope["headers"]})
        await send({"type": "http.response.body", "body": body[:2], "more_body": True})
        await send({"type": "http.response.body", "body": body[2:]})

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    names = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "headers": names}
    await log.around_app(echo)(scope, receive, send)
    return sent


async def test_a_clients_bodies_are_told_with_the_requests_id(log: BodyLog, lines: list[Json]) -> None:
    sent = await served(log, b"hello ", b"world", x_request_id="mine-1")
    assert b"".join(message.get("body", b"") for message in sent) == b"hello world"
    told = [(line["what"], line["request_id"], line["bytes"], line["body"]) for line in lines]
    assert told == [
        ("request of the client", "mine-1", 11, "hello world"),
        ("answer to the client", "mine-1", 11, "hello world"),
    ]
    assert {line["event"] for line in lines} == {"body"}
    assert (lines[1]["status"], "cut" in lines[1]) == (201, False)


@pytest.mark.parametrize("asked", ["", "bad id\n"])
async def test_a_request_without_a_sane_id_gets_ours(log: BodyLog, lines: list[Json], asked: str) -> None:
    sent = await served(log, b"x", **({"x_request_id": asked} if asked else {}))
    (given,) = [value for name, value in sent[0]["headers"] if name == b"x-request-id"]
    assert given.startswith(b"req_")
    assert {line["request_id"] for line in lines} == {given.decode()}


async def test_requests_without_a_body_are_not_overheard(log: BodyLog, lines: list[Json]) -> None:
    await served(log, b"", method="GET")
    assert lines == []


async def test_a_body_whose_end_the_length_tells_is_told_before_its_answer(
    log: BodyLog, lines: list[Json]
) -> None:
    async def early(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        assert [line["what"] for line in lines] == ["request of the client"]

    async def receive() -> Any:
        return {"type": "http.request", "body": b"12345", "more_body": True}

    async def send(_message: Any) -> None: ...

    scope = {"type": "http", "method": "POST", "headers": [(b"content-length", b"5")]}
    await log.around_app(early)(scope, receive, send)


async def test_a_compressed_body_is_told_as_it_was_meant(log: BodyLog, lines: list[Json]) -> None:
    await served(log, gzip.compress(b"hello"), content_encoding="gzip")
    assert lines[0]["body"] == "hello"


async def test_a_body_that_only_says_it_is_compressed_is_told_as_it_is(
    log: BodyLog, lines: list[Json]
) -> None:
    await served(log, b"hello", content_encoding="gzip")
    assert lines[0]["body"] == "hello"


@pytest.mark.parametrize("size", [TOLD_CHARACTERS + 1, KEPT_BYTES + 1])
async def test_a_large_body_is_cut(log: BodyLog, lines: list[Json], size: int) -> None:
    await served(log, b". " * (size // 2) + b".")
    assert len(lines[0]["body"]) == TOLD_CHARACTERS
    assert (lines[0]["cut"], lines[0]["bytes"]) == (True, size // 2 * 2 + 1)


async def test_a_secret_is_hidden(log: BodyLog, lines: list[Json]) -> None:
    await served(log, b"it is hunter2-and-more, or sk-abcdefghij")
    assert "hunter2" not in str(lines)
    assert "sk-abc" not in str(lines)


async def test_a_stream_that_breaks_is_told_as_far_as_it_went(log: BodyLog, lines: list[Json]) -> None:
    async def broken(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        raise OSError("gone")

    async def nothing(*_: Any) -> Any: ...

    with pytest.raises(OSError, match="gone"):
        await log.around_app(broken)({"type": "http", "method": "POST", "headers": []}, nothing, nothing)
    assert [line["body"] for line in lines] == ["", "begun"]


async def test_a_providers_bodies_are_told_with_the_requests_id(log: BodyLog, lines: list[Json]) -> None:
    upstream = log.around_upstream(FakeUpstream(FakeResponse(b"data: one\n\n", b"data: two\n\n")))
    request = UpstreamRequest("https://box.example/chat?key=hunter2-and-more", b'{"model":"m"}')
    response = await upstream.send(request, BOX, (("x-request-id", "req_9"),), stream=True)
    pieces = []
    while (piece := await response.read_chunk()) is not None:
        pieces.append(piece)
    await response.aclose()
    await response.aclose()
    assert pieces == [b"data: one\n\n", b"data: two\n\n"]
    told = [(line["what"], line["request_id"], line["provider"], line["body"]) for line in lines]
    assert told == [
        ("request to the provider", "req_9", "box", '{"model":"m"}'),
        ("answer of the provider", "req_9", "box", "data: one\n\ndata: two\n\n"),
    ]
    assert response.status == lines[1]["status"] == 200


async def test_a_whole_answer_is_told(log: BodyLog, lines: list[Json]) -> None:
    upstream = log.around_upstream(FakeUpstream(FakeResponse(b'{"a":1}')))
    response = await upstream.send(UpstreamRequest("https://box.example/chat", b"{}"), BOX)
    assert await response.read_all(100) == b'{"a":1}'
    await response.aclose()
    assert lines[1]["body"] == '{"a":1}'
