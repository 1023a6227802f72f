"""The mock upstream does what a test tells it, faults included."""

from __future__ import annotations

import base64
import re
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from testkit.mock import CLOSES, GARBAGE, HALF_A_HEAD, NEVER_ANSWERS, RESETS, SSE_HEADERS, MockUpstream, sse


@pytest.fixture
def client(mock: MockUpstream) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=mock.url, trust_env=False, timeout=5) as client:
        yield client


def test_without_a_script_every_wire_format_gets_a_good_answer(client: httpx.Client) -> None:
    gemini = "/v1/projects/p/locations/global/publishers/google/models/gemini-x"
    texts = {
        "/v1/chat/completions": lambda body: body["choices"][0]["message"]["content"],
        "/v1/messages": lambda body: body["content"][0]["text"],
        f"{gemini}:generateContent": lambda body: body["candidates"][0]["content"]["parts"][0]["text"],
        "/api/chat": lambda body: body["message"]["content"],
    }
    for path, text in texts.items():
        body = client.post(path, json={"model": "m", "stream": False}).json()
        assert text(body) == "Hello from the mock."


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("/chat/completions", "data: [DONE]\n\n"),
        ("/v1/messages", 'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
        ("/models/gemini-x:streamGenerateContent?alt=sse", "\r\n\r\n"),
        ("/api/chat", "}\n"),
    ],
)
def test_without_a_script_every_wire_format_streams_to_its_end(
    client: httpx.Client, path: str, last: str
) -> None:
    answer = client.post(path, json={"model": "m", "stream": True})
    assert [word for word in ("Hello", " from", " the", " mock.") if word not in answer.text] == []
    assert answer.text.endswith(last)


def test_a_models_name_sets_the_number_and_the_pace_of_stamped_events(client: httpx.Client) -> None:
    before = time.monotonic_ns()
    answer = client.post("/v1/chat/completions", json={"model": "bench-n5-r200", "stream": True})
    stamps = [int(stamp) for stamp in re.findall(r"t=(\d{19})", answer.text)]
    assert len(stamps) == 5
    assert stamps[0] > before
    assert stamps[-1] - stamps[0] > 4 * 4_000_000


def test_replies_come_in_turn_and_the_last_one_repeats(mock: MockUpstream, client: httpx.Client) -> None:
    mock.script(
        {"status": 429, "headers": {"retry-after": "1"}}, {"json": {"n": 2}}, path="/chat/completions"
    )
    answers = [client.post("/v1/chat/completions", json={}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 200, 200]
    assert answers[0].headers["retry-after"] == "1"
    assert answers[2].json() == {"n": 2}


def test_a_script_answers_only_the_model_it_names(mock: MockUpstream, client: httpx.Client) -> None:
    mock.script({"status": 500}, model="broken")
    assert client.post("/v1/chat/completions", json={"model": "broken"}).status_code == 500
    assert client.post("/models/broken:generateContent", json={}).status_code == 500
    assert client.post("/v1/chat/completions", json={"model": "whole"}).status_code == 200


def test_a_misspelled_reply_is_refused(mock: MockUpstream) -> None:
    with pytest.raises(ValueError, match="stauts"):
        mock.script({"stauts": 500})


def test_a_gated_event_is_sent_only_after_its_release(mock: MockUpstream, client: httpx.Client) -> None:
    events = sse([{"n": n} for n in range(100)], gate="next")
    mock.script({"chunks": events, "headers": SSE_HEADERS})
    with client.stream("POST", "/v1/chat/completions") as answer:
        bytes_read = answer.iter_raw()
        for n in range(100):
            assert mock.stats()["in_flight"] == 1
            mock.release("next")
            assert next(bytes_read) == f'data: {{"n":{n}}}\n\n'.encode()
        assert next(bytes_read, None) is None


@pytest.mark.parametrize("reply", [CLOSES, RESETS, HALF_A_HEAD, GARBAGE])
def test_broken_answers_break_the_client(
    mock: MockUpstream, client: httpx.Client, reply: dict[str, object]
) -> None:
    mock.script(reply)
    with pytest.raises(httpx.TransportError):
        client.post("/v1/chat/completions", json={})


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_stream_can_be_cut_or_reset_in_the_middle(
    mock: MockUpstream, client: httpx.Client, end: str
) -> None:
    mock.script({"chunks": sse([{"n": 1}]), "headers": SSE_HEADERS, "end": end})
    with client.stream("POST", "/v1/chat/completions") as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.TransportError):
            answer.read()


def test_bytes_can_be_split_anywhere_without_changing_them(mock: MockUpstream, client: httpx.Client) -> None:
    text = "data: é€𝄞\r\n\r\n"
    mock.script({"chunks": [text, {"base64": base64.b64encode(b"\xff\x00").decode()}], "split_bytes": 1})
    with client.stream("POST", "/v1/chat/completions") as answer:
        pieces = list(answer.iter_raw())
    assert b"".join(pieces) == text.encode() + b"\xff\x00"
    assert len(pieces) > 1


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_a_body_can_be_framed_in_every_way(mock: MockUpstream, client: httpx.Client, framing: str) -> None:
    mock.script({"body": "0123456789", "framing": framing, "repeat": 3})
    assert client.post("/v1/chat/completions", json={}).text == "0123456789" * 3


def test_requests_are_remembered_as_they_came(mock: MockUpstream, client: httpx.Client) -> None:
    client.post("/v1/chat/completions?a=b", content=iter([b"chun", b"ked"]), headers={"X-Name": "value"})
    [request] = mock.wait("finished")
    assert (request.method, request.path, request.query) == ("POST", "/v1/chat/completions", {"a": "b"})
    assert request.body == b"chunked"
    assert request.header("x-name") == "value"
    assert 0 < request.opened_ns <= request.closed_ns


def test_a_client_that_leaves_is_noticed_while_nothing_flows(mock: MockUpstream) -> None:
    mock.script(NEVER_ANSWERS)
    with socket.create_connection(("127.0.0.1", mock.port)) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}")
        mock.wait("received")
        assert not mock.requests()[0].aborted
    [request] = mock.wait("aborted")
    assert request.closed_ns > request.opened_ns


def test_a_client_that_does_not_read_stops_the_mock(mock: MockUpstream) -> None:
    size = 64 * 1024
    mock.script({"chunks": ["x" * size], "repeat": 10_000})
    with socket.create_connection(("127.0.0.1", mock.port)) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}")
        connection.recv(1)
        mock.wait("received")
    [request] = mock.wait("aborted")
    assert request.sent < 10_000 * size


def test_waiting_for_what_does_not_happen_ends_in_an_error(mock: MockUpstream) -> None:
    with pytest.raises(TimeoutError, match="waited"):
        mock.wait("aborted", timeout=0.05)
