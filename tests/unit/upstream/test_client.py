"""The way out, over real sockets: bytes as they come, every fault by name, no connection left behind."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import Deployment, Timeouts, UpstreamRequest
from fastproxy.upstream import sockets
from fastproxy.upstream.client import UpstreamClient

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """A server that reads a request's head and lets the test do the rest."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


@asynccontextmanager
async def upstream() -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient(user_agent="fastproxy/test")
    try:
        yield client
    finally:
        await client.aclose()


def place(url: str, connect: float = 5.0) -> tuple[UpstreamRequest, Deployment]:
    deployment = Deployment("box", "openai", "m", url, timeouts=Timeouts(connect=connect))
    return UpstreamRequest(f"{url}/chat", b"{}"), deployment


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def test_each_piece_of_a_stream_is_handed_on_before_the_next_is_made() -> None:
    more = asyncio.Semaphore(0)

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        for number in range(3):
            await more.acquire()
            writer.write(chunk(b"piece %d" % number))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async with server(answer) as url, upstream() as client:
        response = await client.send(*place(url), stream=True)
        for number in range(3):
            more.release()
            assert await response.read_chunk() == b"piece %d" % number
        assert await response.read_chunk() is None
        await response.aclose()
        await response.aclose()


async def test_a_whole_body_is_read_and_bounded() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100_000)
        await writer.drain()

    async with server(answer) as url, upstream() as client:
        response = await client.send(*place(url))
        assert len(await response.read_all(200_000)) == 100_000
        await response.aclose()
        response = await client.send(*place(url))
        with pytest.raises(UpstreamError, match="over 50000 bytes") as caught:
            await response.read_all(50_000)
        assert caught.value.kind is ErrorKind.BAD_RESPONSE
        await response.aclose()


@pytest.mark.skipif(not sockets.CAN_SHUT_DOWN, reason="needs TCP_USER_TIMEOUT and /proc")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_given_up_before_its_headers_closes_its_connection(stream: bool) -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2)
        arrived.set()
        assert await reader.read() == b""
        gone.set()

    async with server(answer) as url, upstream() as client:
        sending = asyncio.create_task(client.send(*place(url), stream=stream))
        await arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        async with asyncio.timeout(3):
            await gone.wait()


@pytest.mark.skipif(not sockets.CAN_SHUT_DOWN, reason="needs TCP_USER_TIMEOUT and /proc")
async def test_giving_one_request_up_leaves_the_others_alone() -> None:
    waiting: list[asyncio.StreamWriter] = []
    enough = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting.append(writer)
        if len(waiting) == 5:
            enough.set()
        await enough.wait()
        await asyncio.sleep(0)
        await released.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()

    released = asyncio.Event()
    async with server(answer) as url, upstream() as client:
        sending = [asyncio.create_task(client.send(*place(url))) for _ in range(5)]
        await enough.wait()
        sending[0].cancel()
        await asyncio.gather(sending[0], return_exceptions=True)
        released.set()
        for task in sending[1:]:
            response = await task
            assert await response.read_all(10) == b"ok"
            await response.aclose()


async def test_an_answer_that_breaks_off_is_a_failed_connection() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + chunk(b"half"))
        await writer.drain()

    async with server(answer) as url, upstream() as client:
        response = await client.send(*place(url), stream=True)
        assert await response.read_chunk() == b"half"
        with pytest.raises(UpstreamError, match="box broke the connection") as caught:
            await response.read_chunk()
        assert caught.value.kind is ErrorKind.CONNECTION_FAILED
        await response.aclose()


def refused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("http://127.0.0.1:{port}", ErrorKind.CONNECTION_FAILED, "refuses connections"),
        ("http://no-such-host.invalid", ErrorKind.CONNECTION_FAILED, "cannot be resolved"),
    ],
)
async def test_a_place_that_cannot_be_reached_is_named_with_a_remedy(
    url: str, kind: ErrorKind, words: str
) -> None:
    async with upstream() as client:
        with pytest.raises(UpstreamError, match=words) as caught:
            await client.send(*place(url.format(port=refused_port())))
    assert caught.value.kind is kind
    assert "box at http://" in caught.value.message


async def test_a_server_that_speaks_no_tls_is_told_as_such() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with server(answer) as url, upstream() as client:
        with pytest.raises(UpstreamError) as caught:
            await client.send(*place(url.replace("http:", "https:"), connect=1.0))
    assert caught.value.kind in (ErrorKind.CONNECTION_FAILED, ErrorKind.CONNECT_TIMEOUT)


async def test_a_password_in_an_address_is_not_told() -> None:
    async with upstream() as client:
        with pytest.raises(UpstreamError) as caught:
            await client.send(*place(f"http://user:hunter2@127.0.0.1:{refused_port()}"))
    assert "hunter2" not in caught.value.message


async def test_a_redirect_is_not_followed() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async with server(answer) as url, upstream() as client:
        response = await client.send(*place(url))
        assert response.status == 307
        await response.aclose()
