"""The only loop that tries again: one deployment after the other, each with its provider's one repair."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from fastproxy.errors import ProxyError, UpstreamError
from fastproxy.observability.record import RequestRecord
from fastproxy.providers.contract import Provider
from fastproxy.resilience.deadline import Watchdog
from fastproxy.types import ChatRequest, Deployment, Headers, Route, UpstreamRequest
from fastproxy.upstream.contract import Upstream, UpstreamResponse

Result = TypeVar("Result")

MAX_ERROR_BYTES = 1024 * 1024


Open = Callable[[Provider, Deployment, ChatRequest, UpstreamResponse, Watchdog], Awaitable[Result]]
"""Makes of an open 2xx response what the caller wants; on an exception the response is closed for it."""
Check = Callable[[UpstreamRequest], None]
"""May refuse a built request (parameters that would be dropped)."""
Build = Callable[[Provider, ChatRequest, Deployment], UpstreamRequest]
"""What is sent to a deployment; raises ProxyError."""


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
        self, providers: Mapping[str, Provider], upstream: Upstream, credentials: Authorizing
    ) -> None:
        self._providers, self._upstream, self._credentials = providers, upstream, credentials

    def speak(self, route: Route, surface: str) -> bool:
        """Whether all deployments of the route speak this surface's wire format and take its bodies as they
        are."""
        providers = [self._providers[deployment.kind] for deployment in route.deployments]
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
        failure: ProxyError | None = None
        for deployment in route.deployments:
            record.on_deployment(deployment)
            try:
                target, sent = deployment, headers
                if deployment.credential:
                    target, secret = await self._credentials.authorize(deployment)
                    sent = (*headers, *secret)  # this deployment's alone: the next must not see it
                provider = self._providers[target.kind]
                attempt = _Attempt(provider, target, self._upstream, record, build)
                return await attempt.run(request, open_response, check, sent)
            except UpstreamError as error:
                failure = error
                if not error.retryable:
                    raise
        assert failure is not None  # noqa: S101 - a route has at least one deployment
        raise failure


class _Attempt:
    """One deployment, tried once, and once more where its provider names a repair."""

    def __init__(
        self,
        provider: Provider,
        deployment: Deployment,
        upstream: Upstream,
        record: RequestRecord,
        build: Build,
    ) -> None:
        self._provider, self._deployment = provider, deployment
        self._upstream, self._record, self._build = upstream, record, build

    async def run(
        self, request: ChatRequest, open_response: Open[Result], check: Check, headers: Headers
    ) -> Result:
        sent = self._build(self._provider, request, self._deployment)
        check(sent)
        try:
            return await self._once(sent, request, open_response, headers)
        except UpstreamError as error:
            if error.repair is None or error.repair.name in request.repairs:
                raise
            request = dataclasses.replace(request, repairs=(*request.repairs, error.repair.name))
            repaired = self._build(self._provider, request, self._deployment)
            if repaired == sent:  # a body that passes untouched is its client's to repair
                raise
        check(repaired)
        return await self._once(repaired, request, open_response, headers)

    async def _once(
        self,
        upstream_request: UpstreamRequest,
        request: ChatRequest,
        open_response: Open[Result],
        headers: Headers,
    ) -> Result:
        self._record.attempts += 1
        watchdog = Watchdog(self._deployment, stream=request.stream)
        with watchdog:
            began = time.monotonic()
            try:
                response = await self._upstream.send(
                    upstream_request, self._deployment, headers, stream=request.stream
                )
            finally:
                self._record.waited_seconds += time.monotonic() - began
            try:
                if not 200 <= response.status < 300:
                    raise await self._refusal(response)
                if upstream_request.context_window is not None:
                    request = dataclasses.replace(request, context_window=upstream_request.context_window)
                return await open_response(self._provider, self._deployment, request, response, watchdog)
            except BaseException:
                await response.aclose()
                raise

    async def _refusal(self, response: UpstreamResponse) -> UpstreamError:
        try:
            body = await response.read_all(MAX_ERROR_BYTES)
        except UpstreamError:
            body = b""  # the status alone says enough
        headers = {name.lower(): value for name, value in response.headers.items()}
        return self._provider.parse_error(response.status, headers, body)
