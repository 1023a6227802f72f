"""The two ways an exchange ends: a whole answer, or a stream that is made while it is sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.exchange import Exchange
from fastproxy.http import Reply, Sink
from fastproxy.observability.record import RequestRecord
from fastproxy.providers.contract import Provider
from fastproxy.relay import Relay
from fastproxy.resilience.attempts import Attempts
from fastproxy.resilience.turns import Turn
from fastproxy.types import Caller, ChatRequest, Deployment, Headers
from fastproxy.upstream.contract import UpstreamResponse
from fastproxy.wire.answer import AnswerStream, RenderedStream, WholeAnswer
from fastproxy.wire.events import Carry

MAX_ANSWER_BYTES = 256 * 1024 * 1024

Keep = Callable[[Caller, Sequence[Carry]], Awaitable[None]]

_STREAM_HEADERS: Headers = (
    ("cache-control", "no-cache, no-transform"),
    ("x-accel-buffering", "no"),  # nginx and many tunnels hold a stream back without it
)


async def whole(exchange: Exchange, attempts: Attempts, keep: Keep) -> Reply:
    """A unary answer. Raises ProxyError."""

    async def read(
        provider: Provider,
        _deployment: Deployment,
        request: ChatRequest,
        response: UpstreamResponse,
        _turn: Turn,
    ) -> WholeAnswer:
        began = time.monotonic()
        body = await response.read_all(MAX_ANSWER_BYTES)
        exchange.record.waited_seconds += time.monotonic() - began
        await response.aclose()
        return _whole_answer(exchange, provider, request, body)

    answer = await attempts.first_success(
        exchange.route,
        exchange.request,
        exchange.record,
        read,
        exchange.check,
        exchange.headers,
        exchange.build,
    )
    if answer.carries:
        await keep(exchange.caller, answer.carries)
    record = exchange.record
    record.usage, record.finish, record.answered = answer.usage, answer.finish, time.monotonic()
    return Reply(answer.body, headers=exchange.reply_headers())


def _whole_answer(exchange: Exchange, provider: Provider, request: ChatRequest, body: bytes) -> WholeAnswer:
    if provider.native_response and exchange.speaks(provider):
        return provider.native_response(request, body)
    completion = exchange.dialect(provider).parse_response(request, body)
    rendered = exchange.surface.render_completion(completion, exchange.head, exchange.request)
    finish = completion.choices[0].native_finish if completion.choices else ""
    return WholeAnswer(rendered, completion.usage, finish, completion.carries)


class StreamedAnswer:
    """A streamed answer: attempts until one has content, then the relay; heartbeats while that takes long."""

    def __init__(
        self,
        exchange: Exchange,
        attempts: Attempts,
        keep: Keep,
        leave: Callable[[StreamedAnswer, BaseException | None], None],
    ) -> None:
        self.exchange, self._attempts, self._keep, self._leave = exchange, attempts, keep, leave
        self._relay: Relay | None = None
        self._turn: Turn | None = None
        self._task: asyncio.Task[None] | None = None
        self._cut = self._is_cut = False

    def cut_off(self) -> None:
        """Ends this answer with an error, because the proxy itself ends. May be called until it has."""
        self._cut = True
        if self._task is not None and not self._is_cut:
            self._task.cancel()

    async def run(self, sink: Sink) -> None:
        """Writes the whole answer. A ProxyError before anything was written is raised."""
        failure: BaseException | None = None
        self._task = asyncio.current_task()
        try:
            await self._answer_or_say_why(sink)
            failure = self._relay.stream.fault if self._relay else None
        except BaseException as error:
            failure = error
            if not (sink.started and isinstance(error, ProxyError)):
                raise
            await sink.write(self.exchange.surface.stream_error(self.exchange.head, error))
        finally:
            await self._close(failure)

    async def _answer_or_say_why(self, sink: Sink) -> None:
        try:
            await self._answer(sink)
        except asyncio.CancelledError:
            if not self._cut or self._task is None:
                raise
            self._is_cut = True  # what tells the client of it is not to be disturbed
            self._task.uncancel()
            raise ProxyError(
                ErrorKind.DRAINING, "The proxy shuts down before this answer was whole.", retry_after=1
            ) from None

    async def _answer(self, sink: Sink) -> None:
        exchange, record = self.exchange, self.exchange.record
        heartbeat = Heartbeat(
            sink,
            self._headers,
            partial(exchange.surface.heartbeat, exchange.head, exchange.request),
            exchange.policy.heartbeat_seconds,
        )
        try:
            self._relay = relay = await self._attempts.first_success(
                exchange.route,
                exchange.request,
                record,
                self._open,
                exchange.check,
                exchange.headers,
                exchange.build,
            )
        finally:
            await heartbeat.stop()
        record.answered, record.status = time.monotonic(), 200
        if sink.started:  # the headers left with a heartbeat: who answers is told in a comment
            await sink.write(_who_answers(record))
        else:
            await sink.start(self._headers())
        await relay.pump(sink)

    async def _open(
        self,
        provider: Provider,
        deployment: Deployment,
        request: ChatRequest,
        response: UpstreamResponse,
        turn: Turn,
    ) -> Relay:
        async def keep(carries: Sequence[Carry]) -> None:
            await self._keep(self.exchange.caller, carries)

        relay = Relay(response, self._stream(provider, request), turn.watchdog, deployment, keep)
        try:
            await relay.first()
        finally:
            self.exchange.record.waited_seconds += relay.waited_seconds
        turn.began()
        self._turn = turn
        return relay

    def _stream(self, provider: Provider, request: ChatRequest) -> AnswerStream:
        exchange = self.exchange
        if provider.native_stream and exchange.speaks(provider):
            return provider.native_stream(request)
        renderer = exchange.surface.renderer(exchange.head, request)
        return RenderedStream(exchange.dialect(provider).translate_stream(request), renderer)

    def _headers(self) -> Headers:
        return (*_STREAM_HEADERS, *self.exchange.reply_headers())

    async def _close(self, failure: BaseException | None) -> None:
        relay, record = self._relay, self.exchange.record
        try:
            if relay is not None:
                record.usage, record.finish = relay.stream.usage, relay.stream.finish
                record.bytes_out = relay.bytes_out
                await relay.aclose()
        finally:
            if self._turn is not None:
                self._turn.end(failure)
            self._leave(self, failure)


def _who_answers(record: RequestRecord) -> bytes:
    """The comment that stands for the headers which had to leave before anybody knew."""
    told = f"x-fastproxy-provider: {record.provider}; x-fastproxy-model: {record.model}"
    return f": {told}; x-fastproxy-attempts: {record.attempts}\n".encode()


class Heartbeat:
    """Keeps a connection alive until the first content: after a while the headers go out, then beats.

    It costs one timer where the answer comes in time, and a task only where it does not.
    """

    def __init__(
        self, sink: Sink, headers: Callable[[], Headers], beat: Callable[[], bytes], seconds: float
    ) -> None:
        self._sink, self._headers, self._beat, self._seconds = sink, headers, beat, seconds
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(seconds, self._due)

    def _due(self) -> None:
        self._task = self._loop.create_task(self._send())

    async def _send(self) -> None:
        if not self._sink.started:
            await self._sink.start(self._headers())
        await self._sink.write(self._beat())
        self._timer = self._loop.call_later(self._seconds, self._due)

    async def stop(self) -> None:
        """No beat is on its way any more when this returns."""
        self._timer.cancel()
        if self._task is not None:
            await self._task
            self._timer.cancel()
