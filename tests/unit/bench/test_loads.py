"""The load generator's bytes: requests of the size that is asked for, whole answers, events on time."""

from __future__ import annotations

import time

import orjson

from bench.http_bytes import chat_body, is_whole, post
from bench.load import Load
from bench.streams import StreamConnection, stream_figures


def test_a_body_has_the_size_that_is_asked_for() -> None:
    assert len(orjson.dumps(chat_body("m", size=10_000))) == 10_000
    assert len(orjson.dumps(chat_body("m"))) < 200


def test_a_request_tells_its_length_and_headers() -> None:
    sent = post("http://127.0.0.1:4000/v1/x?y=1", {"authorization": "Bearer k"}, b"{}")
    assert sent == (
        b"POST /v1/x?y=1 HTTP/1.1\r\nhost: 127.0.0.1:4000\r\nauthorization: Bearer k\r\n"
        b"content-length: 2\r\n\r\n{}"
    )


def test_an_answer_is_whole_when_all_its_bytes_are_there() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
    assert not is_whole(b"HTTP/1.1 200 OK\r\n")
    assert not is_whole(head + b"abc")
    assert is_whole(head + b"abcd")
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert not is_whole(chunked + b"1\r\na\r\n")
    assert is_whole(chunked + b"1\r\na\r\n0\r\n\r\n")


class _NoTransport:
    def abort(self) -> None:
        """There is no connection."""


def received(*pieces: bytes) -> StreamConnection:
    connection = StreamConnection(b"", lambda: None)
    connection._transport = _NoTransport()  # type: ignore[assignment]
    for piece in pieces:
        connection.data_received(piece)
    return connection


def test_events_are_found_however_the_bytes_are_cut() -> None:
    event = b"data: t=%019d\n\n"
    body = b"".join(b"%x\r\n%b\r\n" % (len(event % stamp), event % stamp) for stamp in range(1, 6))
    whole = b"HTTP/1.1 200 OK\r\n\r\n" + body + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
    for size in (1, 3, 7, 50, len(whole)):
        connection = received(*(whole[at : at + size] for at in range(0, len(whole), size)))
        assert (connection.fault, len(connection.delays_ns)) == ("", 5), size


def test_a_stream_that_breaks_or_is_short_has_failed() -> None:
    ok = b"HTTP/1.1 200 OK\r\n\r\ndata: t=%019d\n\n" % time.monotonic_ns()
    broken, short, whole = received(ok), received(ok + b"data: [DONE]"), received(ok + ok + b"data: [DONE]")
    broken.connection_lost(None)
    refused = received(b"HTTP/1.1 429 Too Many Requests\r\n\r\n")
    refused.connection_lost(None)
    figures = stream_figures([broken, short, whole, refused], events=2)
    assert figures["failures"] == 3
    assert figures["faults"] == ["HTTP/1.1 429 Too Many Requests\r\n\r\n", "no [DONE]"]


def test_a_quick_load_is_a_shadow_of_itself() -> None:
    quick = Load("streams", 2000, 3.0, rate=10).quick()
    assert (quick.connections, quick.seconds, quick.rate) == (8, 0.2, 10)
    assert quick.takes_seconds < 1
