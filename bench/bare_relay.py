"""The floor: the least that a relay on these parts (Granian, pyreqwest, orjson) can do, without a feature."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from pyreqwest.client import Client, ClientBuilder

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
_JSON = [(b"content-type", b"application/json")]
_SSE = [(b"content-type", b"text/event-stream")]


def relay(client: Client, upstream: str) -> Callable[..., Awaitable[None]]:
    """An ASGI app that passes every POST on to the upstream's chat completions."""
    url = f"{upstream}/v1/chat/completions"
    headers = {"content-type": "application/json"}

    async def app(scope: Mapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
        if scope["method"] != "POST":
            await send({"type": "http.response.start", "status": 200, "headers": _JSON})
            await send({"type": "http.response.body", "body": b"{}"})
            return
        message = await receive()
        body = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        document = orjson.loads(body)
        assert document["model"]
        request = client.post(url).headers(headers).body_bytes(body)
        if not document.get("stream"):
            response = await request.build().send()
            await send({"type": "http.response.start", "status": response.status, "headers": _JSON})
            await send({"type": "http.response.body", "body": bytes(await response.bytes())})
            return
        async with request.streamed_read_buffer_limit(0).build_streamed() as stream:
            await send({"type": "http.response.start", "status": stream.status, "headers": _SSE})
            while (chunk := await stream.body_reader.read_chunk()) is not None:
                await send({"type": "http.response.body", "body": bytes(chunk), "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    return app


async def _serve(upstream: str, port: int) -> None:
    async with ClientBuilder().build() as client:
        server = Server(
            relay(client, upstream),
            port=port,
            interface=Interfaces.ASGINL,
            backlog=4096,
            backpressure=10_000,
            websockets=False,
            log_enabled=False,
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        await server.serve()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="A relay without features: the floor of the benchmarks.")
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(arguments.upstream, arguments.port))


if __name__ == "__main__":
    main()
