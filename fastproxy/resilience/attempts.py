"""The only loop that tries again: repair, retry, then the next deployment.

Laws:
1. Nothing is repeated once a model byte has gone to the client: whoever opens a response returns only with
   its first content, and what fails later is not seen here.
2. One deadline for the whole request, credentials, queues and pauses among it.
3. What the client did wrong is told at once: no other deployment can mend it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.observability.record import RequestRecord
from fastproxy.providers.contract import Provider
from fastproxy.resilience.backoff import Backoff
from fastproxy.resilience.deadline import Watchdog
from fastproxy.resilience.gate import Gate
from fastproxy.resilience.turns import Turn, Turns
from fastproxy.types import ChatRequest, Deployment, Headers, Route, UpstreamRequest
from fastproxy.upstream.contract import Upstream, UpstreamResponse

Result = TypeVar("Result")

MAX_ERROR_BYTES = 1024 * 1024


Open = Callable[[Provider, Deployment, ChatRequest, UpstreamResponse, Turn], Awaitable[Result]]
"""Makes of an open 2xx response what the caller wants; on an exception the response is closed for it. Who
opens a stream ends the turn when the stream has ended."""
Check = Callable[[UpstreamRequest], None]
"""May refuse a built request (parameters that would be dropped)."""
Unable = Callable[[Deployment, ChatRequest], str]
"""Why a deployment cannot do what the request needs, as far as that is known; "" where nothing speaks against
it."""
Build = Callable[[Provider, ChatRequest, Deployment], UpstreamRequest]
"""What is sent to a deployment; raises ProxyError."""


_RETRIED = frozenset(
    {
        ErrorKind.CONNECTION_FAILED,
        ErrorKind.CONNECT_TIMEOUT,
        ErrorKind.BAD_RESPONSE,
        ErrorKind.OVERLOADED,
        ErrorKind.RATE_LIMITED,
        ErrorKind.TOTAL_TIMEOUT,
    }
)
"""What may pass within seconds; a deployment that keeps silent has used up the patience already."""
_ELSEWHERE = frozenset({429, 502, 503, 504})
"""Our statuses for what another deployment may do better: busy, broken, too late, no money, no credential."""


def falls_back(error: UpstreamError) -> bool:
    """Whether another deployment may answer where this one failed."""
    return error.status in _ELSEWHERE and (error.kind is not ErrorKind.TOTAL_TIMEOUT or error.retryable)


def build_chat(provider: Provider, request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
    """A chat, as the provider wants it."""
    return provider.build_request(request, deployment)


class Authorizing(Protocol):
    """Adds what expires to a request at sending."""

    async def authorize(self, deployment: Deployment) -> tuple[Deployment, Headers]:
        """The deployment, completed, and further headers. Raises UpstreamError."""
        ...


class Attempts:
    """Tries the deployments of a route until one answers."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        upstream: Upstream,
        credentials: Authorizing,
        *,
        turns: Turns | None = None,
        backoff: Backoff | None = None,
        unable: Unable = lambda _deployment, _request: "",
    ) -> None:
        self.providers, self.upstream, self.credentials = providers, upstream, credentials
        self.turns, self.backoff, self._unable = turns or Turns(), backoff or Backoff(), unable

    def speak(self, route: Route, surface: str) -> bool:
        """Whether all deployments of the route speak this surface's wire format and take its bodies as they
        are."""
        providers = [self.providers[deployment.kind] for deployment in route.deployments]
        return all(provider.native_build and provider.native_surface == surface for provider in providers)

    async def first_success(
        self,
        route: Route,
        request: ChatRequest,
        record: RequestRecord,
        open_response: Open[Result],
        check: Check,
        headers: Headers,
        build: Build = build_chat,
    ) -> Result:
        """What `open_response` makes of the first good answer. Raises the last attempt's ProxyError."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        call = _Call(record, check, headers, build, task, task.get_loop().time(), record.seconds_left())
        failure: UpstreamError | None = None
        for deployment in route.deployments:
            if failure is None:
                record.on_deployment(deployment)
            elif reason := self._unable(deployment, request):
                record.skip(deployment, reason)
                continue
            attempt = _Attempt(self, call, deployment)
            try:
                return await attempt.until_answered(request, open_response)
            except _UnfitError as unfit:
                if failure is None:
                    raise unfit.error from None
                record.skip(deployment, unfit.error.message)
            except UpstreamError as error:
                failure = error
                error.provider = deployment.provider
                if not falls_back(error):
                    raise
        assert failure is not None  # noqa: S101 - a route has at least one deployment
        if record.skipped:
            failure.message += f" Not asked: {'; '.join(record.skipped)}"
        raise failure


@dataclasses.dataclass(slots=True)
class _Call:
    """What all attempts at one request have in common."""

    record: RequestRecord
    check: Check
    headers: Headers
    build: Build
    task: asyncio.Task[object]
    began: float
    client_seconds: float | None


class _UnfitError(Exception):
    """The request cannot be said to a deployment."""

    def __init__(self, error: ProxyError) -> None:
        super().__init__(error.message)
        self.error = error


class _Attempt:
    """One deployment, asked until it answers or there is no point in asking it again."""

    def __init__(self, attempts: Attempts, call: _Call, deployment: Deployment) -> None:
        self._attempts, self._call, self._deployment = attempts, call, deployment
        self._provider = attempts.providers[deployment.kind]
        self._target = deployment
        """The same with what its credential told."""
        self._sent: UpstreamRequest | None = None

    async def until_answered(self, request: ChatRequest, open_response: Open[Result]) -> Result:
        """What `open_response` makes of the answer. Raises the last error."""
        call, deployment, turns = self._call, self._deployment, self._attempts.turns
        retries = 0
        while True:
            watchdog = Watchdog(deployment, request.stream, call.began, call.client_seconds, call.task)
            turn: Turn | None = None
            try:
                with watchdog:
                    gate = await self._place(turns) if deployment.care.max_concurrency else None
                    turn = turns.take(deployment, watchdog, gate)
                    result = await self._answer(request, open_response, turn)
            except BaseException as error:
                if turn is not None:
                    turn.end(error)
                if not isinstance(error, UpstreamError):
                    raise
                call.record.attempt_failed(deployment, error)
                repaired = self._repaired(request, error)
                if repaired is not None:
                    request = repaired
                    continue
                delay = self._pause(error, retries)
                if delay is None or delay >= watchdog.seconds_left:
                    raise
            else:
                if not request.stream:
                    turn.end()
                return result
            retries += 1
            call.record.waited_seconds += delay
            await asyncio.sleep(delay)

    async def _place(self, turns: Turns) -> Gate:
        began = time.monotonic()
        try:
            return await turns.enter(self._deployment)
        finally:
            self._call.record.limit_seconds += time.monotonic() - began

    def _repaired(self, request: ChatRequest, error: UpstreamError) -> ChatRequest | None:
        if error.repair is None or request.repairs:  # one repair each
            return None
        repaired = dataclasses.replace(request, repairs=(*request.repairs, error.repair.name))
        # a body that passes untouched is its client's to repair
        return repaired if self._build(repaired, self._target) != self._sent else None

    def _pause(self, error: UpstreamError, retries: int) -> float | None:
        """Seconds until the same deployment is asked again; None: it is not."""
        if not error.retryable or error.kind not in _RETRIED or retries >= self._deployment.care.max_retries:
            return None
        return self._attempts.backoff.delay(retries, error.retry_after)

    async def _answer(self, request: ChatRequest, open_response: Open[Result], turn: Turn) -> Result:
        record, deployment = self._call.record, self._deployment
        headers = self._call.headers
        if deployment.credential:
            deployment, secret = await self._authorized(deployment)
            headers = (*headers, *secret)  # this deployment's alone: the next must not see it
        if name := self._provider.deadline_header:
            headers = (*headers, (name, str(max(0, int(turn.watchdog.seconds_left * 1000)))))
        sent = self._sent = self._build(request, deployment)
        self._target = deployment
        if record.attempts:  # who was to be asked first is noted already
            record.on_deployment(deployment)
        record.attempts += 1
        if record.trace is not None:
            headers = record.trace.attempt(deployment, headers)
        began = time.monotonic()
        try:
            response = await self._attempts.upstream.send(sent, deployment, headers, stream=request.stream)
        finally:
            record.waited_seconds += time.monotonic() - began
        try:
            if not 200 <= response.status < 300:
                raise await self._refusal(response)
            if sent.context_window is not None:
                request = dataclasses.replace(request, context_window=sent.context_window)
            return await open_response(self._provider, deployment, request, response, turn)
        except BaseException:
            await response.aclose()
            raise

    async def _authorized(self, deployment: Deployment) -> tuple[Deployment, Headers]:
        began = time.monotonic()
        try:
            return await self._attempts.credentials.authorize(deployment)
        finally:
            self._call.record.waited_seconds += time.monotonic() - began

    def _build(self, request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
        try:
            sent = self._call.build(self._provider, request, deployment)
            self._call.check(sent)
        except UpstreamError:
            raise
        except ProxyError as error:
            raise _UnfitError(error) from error
        return sent

    async def _refusal(self, response: UpstreamResponse) -> UpstreamError:
        try:
            body = await response.read_all(MAX_ERROR_BYTES)
        except UpstreamError:
            body = b""  # the status alone says enough
        headers = {name.lower(): value for name, value in response.headers.items()}
        return self._provider.parse_error(response.status, headers, body)
