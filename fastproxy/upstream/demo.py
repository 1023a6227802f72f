"""The offline provider's other end: an OpenAI-compatible answer made in this process.

It answers bytes like any server, so that the demo models take the very path of all others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping

import orjson

from fastproxy.errors import UpstreamError
from fastproxy.providers.demo import demo_events
from fastproxy.types import ChatRequest, UpstreamRequest
from fastproxy.wire.events import Event, complete
from fastproxy.wire.openai.chat_render import ChatRenderer, render_completion, render_error
from fastproxy.wire.openai.chat_request import parse_chat
from fastproxy.wire.openai.passthrough import made_id

OFFLINE = "demo://offline"
"""The base URL that stands for this file."""


class DemoResponse:
    """An upstream response whose chunks come from an iterator of (delay in seconds, bytes)."""

    def __init__(
        self, status: int, pieces: Iterator[tuple[float, bytes]], headers: Mapping[str, str]
    ) -> None:
        self._pieces = pieces
        self.status = status
        self.headers = headers

    async def read_chunk(self) -> bytes | None:
        """The next piece, after its delay."""
        for delay, data in self._pieces:
            if delay:
                await asyncio.sleep(delay)
            if data:
                return data
        return None

    async def read_all(self, limit: int) -> bytes:
        """All pieces."""
        pieces = []
        while (piece := await self.read_chunk()) is not None:
            pieces.append(piece)
        return b"".join(pieces)

    async def aclose(self) -> None:
        """Nothing is held."""


def answer(request: UpstreamRequest) -> DemoResponse:
    """The demo provider's answer to an OpenAI chat request."""
    chat = parse_chat(orjson.loads(request.body))
    events = demo_events(chat)
    try:
        first = next(iter_events := iter(events))
    except UpstreamError as error:
        retry = {} if error.retry_after is None else {"retry-after": str(round(error.retry_after))}
        return DemoResponse(error.upstream_status or error.status, iter([(0.0, render_error(error))]), retry)
    pieces = _stream(chat, first, iter_events) if chat.stream else _whole(chat, first, iter_events)
    return DemoResponse(200, pieces, {})


def _stream(
    chat: ChatRequest, first: tuple[float, Event], rest: Iterator[tuple[float, Event]]
) -> Iterator[tuple[float, bytes]]:
    renderer = ChatRenderer(made_id(), int(time.time()), chat.model, include_usage=True)
    yield first[0], renderer.render([first[1]])
    for delay, event in rest:
        yield delay, renderer.render([event])
    yield 0.0, renderer.end()


def _whole(
    chat: ChatRequest, first: tuple[float, Event], rest: Iterator[tuple[float, Event]]
) -> Iterator[tuple[float, bytes]]:
    timed = [first, *rest]
    try:
        body = render_completion(
            complete(event for _, event in timed), made_id(), int(time.time()), chat.model
        )
    except UpstreamError as error:
        body = render_error(error)
    yield sum(delay for delay, _ in timed), body
