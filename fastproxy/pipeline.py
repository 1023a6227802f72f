"""One request from start to finish, one line a phase. Read this first.

    identify -> admit -> parse -> route -> reserve -> restore -> first success -> relay

A whole answer is made and returned. A streamed one is returned as an object that the server runs: whatever
fails before the first content is still an ordinary error; what fails later is told inside the stream.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar
from weakref import WeakSet

from fastproxy.answers import StreamedAnswer, whole
from fastproxy.auth import Authenticator, allowed
from fastproxy.body import load_json
from fastproxy.cursor import for_cursor, is_cursor
from fastproxy.embeddings import embed
from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.exchange import Exchange, Policy, forwarded, reply_headers, time_limit
from fastproxy.http import HttpRequest, Reply, StreamReply
from fastproxy.observability.record import RequestRecord
from fastproxy.observability.trace import Trace
from fastproxy.ports import Limiting, Remembering
from fastproxy.resilience.attempts import Attempts
from fastproxy.resilience.gate import Gate
from fastproxy.routing import Router
from fastproxy.token_count import count_tokens
from fastproxy.types import Caller, ChatRequest, Route
from fastproxy.wire.anthropic.messages_request import outline
from fastproxy.wire.anthropic.token_estimate import render_estimate
from fastproxy.wire.openai.embeddings import model_in
from fastproxy.wire.surface import Surface

_Made = TypeVar("_Made", Reply, Reply | StreamedAnswer)
_Answer = Callable[[HttpRequest, RequestRecord, Caller], Awaitable[_Made]]
CANCEL_AGAIN_SECONDS = 0.25
_THINKING_FIELDS = frozenset({"reasoning", "thinking", "enable_thinking", "think"})


class Pipeline:
    """Built once; `answer` is called for every request of a model."""

    def __init__(
        self,
        authenticator: Authenticator,
        router: Router,
        continuity: Remembering,
        attempts: Attempts,
        observe: Callable[[RequestRecord], None],
        policy: Policy,
        limits: Limiting | None = None,
        sample_ratio: float | None = None,
    ) -> None:
        """`sample_ratio` is the part of the requests that are traced; None: there are no traces at all."""
        self._authenticator, self._router, self._continuity = authenticator, router, continuity
        self._attempts, self._observe, self._policy = attempts, observe, policy
        self._limits, self.gate = limits, Gate(policy.max_in_flight)
        self._sample_ratio = sample_ratio
        self._streams: set[StreamedAnswer] = set()
        self._whole: set[asyncio.Task[object]] = set()
        """Those who are answered whole, or not yet begun to be answered."""
        self._late: WeakSet[asyncio.Task[object]] = WeakSet()
        """Those of them who were told to end."""
        self.in_flight = 0
        self.draining = False

    async def answer(self, http: HttpRequest, surface: Surface) -> Reply | StreamReply:
        """The reply to one request; raises ProxyError."""
        if is_cursor(http, self._policy.error_profile):
            surface = for_cursor(surface)
        return await self._reply(http, partial(self._answer, surface))

    async def embed(self, http: HttpRequest) -> Reply:
        """The reply to one request for embeddings; raises ProxyError."""
        return await self._reply(http, self._embed)

    async def count_tokens(self, http: HttpRequest) -> Reply:
        """The reply to the question how many tokens a Messages body is; raises ProxyError."""
        return await self._reply(http, self._count_tokens)

    async def _reply(self, http: HttpRequest, answer: _Answer[_Made]) -> _Made:
        """What all requests have in common: a record, a place, an end. A stream ends by itself."""
        record = self._record(http)
        task = self._begin(http)
        try:
            caller = self._admit(http, record)
            if not record.admitted:
                await self._wait_for_a_place(record)
            reply = await answer(http, record, caller)
        except BaseException as error:
            self._fail(task, http, record, error)
            raise
        finally:
            self._whole.discard(task)
        if isinstance(reply, Reply):
            record.status, record.bytes_out = 200, len(reply.body)
            self._end(http, record)
        return reply

    async def _answer(
        self, surface: Surface, http: HttpRequest, record: RequestRecord, caller: Caller
    ) -> Reply | StreamedAnswer:
        exchange = await self._prepare(http, surface, record, caller)
        if not exchange.request.stream:
            return await whole(exchange, self._attempts, self._continuity.keep)
        answer = StreamedAnswer(exchange, self._attempts, self._continuity.keep, self._leave)
        self._streams.add(answer)
        return answer

    async def _embed(self, http: HttpRequest, record: RequestRecord, caller: Caller) -> Reply:
        body = await load_json(http)
        route = await self._route(http, record, caller, model_in(body))
        answer = await embed(body, route, record, self._attempts, forwarded(http), self._router)
        record.answered = time.monotonic()
        return Reply(answer, headers=reply_headers(record, self._policy))

    async def _count_tokens(self, http: HttpRequest, record: RequestRecord, caller: Caller) -> Reply:
        body = await load_json(http)
        route = await self._route(http, record, caller, outline(body).model)
        answer = await count_tokens(http, body, route, record, self._attempts, forwarded(http))
        record.answered = time.monotonic()
        if record.settle is not None:  # to count tokens costs none
            record.settle(None, answered=False)
            record.settle = None
        if answer is None:
            told = (
                ("x-fastproxy-warning", "estimated, not counted"),
                ("server-timing", record.server_timing()),
            )
            return Reply(render_estimate(body), headers=told)
        return Reply(answer, headers=reply_headers(record, self._policy))

    async def _route(self, http: HttpRequest, record: RequestRecord, caller: Caller, model: str) -> Route:
        record.asked_model = model
        route = allowed(caller, self._router.resolve(model))
        if self._limits is not None:
            await self._reserve(self._limits, caller, http, record, route, None)
        return route

    async def _prepare(
        self, http: HttpRequest, surface: Surface, record: RequestRecord, caller: Caller
    ) -> Exchange:
        body = await load_json(http)
        request = surface.outline(body) if surface.outline else surface.parse(body)
        record.asked_model, record.stream = request.model, request.stream
        route = allowed(caller, self._router.resolve(request.model))
        if surface.outline and not self._attempts.speak(route, surface.name):
            request = surface.parse(body)
        if not request.model:
            request = replace(request, model=route.model)
        if route.effort:
            request = _with_effort(request, route.effort)
        if self._limits is not None:
            await self._reserve(self._limits, caller, http, record, route, request.max_output_tokens())
        if self._continuity.needs_restore(request):
            request = await self._continuity.restore(request, caller)
        return Exchange(surface, http, body, request, route, caller, record, self._policy, forwarded(http))

    def _record(self, http: HttpRequest) -> RequestRecord:
        record = RequestRecord(http.id, http.method, http.path, bytes_in=len(http.body))
        if self._sample_ratio is not None:
            record.trace = Trace.begin(http.headers, self._sample_ratio)
        return record

    def _begin(self, http: HttpRequest) -> asyncio.Task[object]:
        self.in_flight += 1
        task = http.task or asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        self._whole.add(task)
        return task

    def _admit(self, http: HttpRequest, record: RequestRecord) -> Caller:
        """Who asks; it has a place now where one is free. Who has no key takes none, and waits for none."""
        if self.draining:
            raise _draining("The proxy is shutting down.")
        caller = self._authenticator.identify(http.headers, http.address)
        record.caller, record.auth_seconds = caller.name, time.monotonic() - record.started
        record.time_limit = time_limit(http.headers)
        record.admitted = self.gate.try_enter()
        return caller

    async def _reserve(
        self,
        limits: Limiting,
        caller: Caller,
        http: HttpRequest,
        record: RequestRecord,
        route: Route,
        tokens: int | None,
    ) -> None:
        began = time.monotonic()
        try:
            reserved = await limits.reserve(caller, http, route, tokens)
        finally:
            record.limit_seconds += time.monotonic() - began
        record.limit_headers, record.settle = reserved.headers, reserved.settle

    async def _wait_for_a_place(self, record: RequestRecord) -> None:
        policy, began = self._policy, time.monotonic()
        patience = min(policy.queue_seconds, record.time_limit or policy.queue_seconds)
        entered = await self.gate.enter(patience)
        record.limit_seconds += time.monotonic() - began
        if not entered:
            raise ProxyError(
                ErrorKind.QUEUE_FULL,
                f"{policy.max_in_flight} requests are being answered already (server.max_in_flight), and "
                "there was no place for one more.",
                retry_after=1,
            )
        record.admitted = True

    async def drain(self, seconds: float, grace_seconds: float) -> None:
        """Takes nothing new, waits until all answers have ended, and ends the late ones with an error."""
        self.draining = True
        await self._until_idle(seconds)
        limit = time.monotonic() + grace_seconds
        while self.in_flight and time.monotonic() < limit:  # again: a cancellation may be lost
            for answer in tuple(self._streams):
                answer.cut_off()
            for task in tuple(self._whole):
                self._late.add(task)
                task.cancel()
            await self._until_idle(min(CANCEL_AGAIN_SECONDS, limit - time.monotonic()))

    async def _until_idle(self, seconds: float) -> None:
        limit = time.monotonic() + seconds
        while self.in_flight and time.monotonic() < limit:
            await asyncio.sleep(0.02)

    def _leave(self, answer: StreamedAnswer, error: BaseException | None) -> None:
        self._streams.discard(answer)
        exchange = answer.exchange
        self._end(exchange.http, exchange.record, error)

    def _fail(
        self, task: asyncio.Task[object], http: HttpRequest, record: RequestRecord, error: BaseException
    ) -> None:
        """The end of a request by this error; raises another for who was told to end."""
        if isinstance(error, asyncio.CancelledError) and task in self._late:
            task.uncancel()
            late = _draining("The proxy shuts down before this answer was whole.")
            self._end(http, record, late)
            raise late from None
        self._end(http, record, error)

    def _end(self, http: HttpRequest, record: RequestRecord, error: BaseException | None = None) -> None:
        """The end of every request: counted and logged once."""
        self.in_flight -= 1
        if record.admitted:
            self.gate.leave()
        if record.settle is not None:
            record.settle(record.usage, answered=record.answered is not None)
        record.ended, record.ended_at = time.monotonic(), time.time()
        if isinstance(error, ProxyError):
            record.failed(error)
            record.status = record.status or error.status
        elif isinstance(error, asyncio.CancelledError):
            record.client_gone, record.status = True, record.status or 499
        elif error is not None:
            record.error_code, record.status = ErrorKind.INTERNAL.value.code, record.status or 500
        if error is not None:
            http.timing = record.server_timing()
        self._observe(record)


def _draining(message: str) -> ProxyError:
    return ProxyError(ErrorKind.DRAINING, message, retry_after=1)


def _with_effort(request: ChatRequest, effort: str) -> ChatRequest:
    """The request with the effort that its model's name ends in, unless it says itself how much to think."""
    if "reasoning_effort" in request.parameters or not _THINKING_FIELDS.isdisjoint(request.extra):
        return request
    return replace(request, parameters={**request.parameters, "reasoning_effort": effort})
