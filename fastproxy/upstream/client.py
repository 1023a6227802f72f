"""The way out: HTTP to the providers through pyreqwest, and its faults as our errors.

Law: SSE must arrive as it is made. pyreqwest buffers a streamed body up to 64 KiB unless the request is
built with `streamed_read_buffer_limit(0)` and read with `read_chunk()`; both happen here and only here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import (
    ConnectError,
    ConnectTimeoutError,
    PyreqwestError,
    RequestTimeoutError,
)
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import Deployment, Headers, Timeouts, UpstreamRequest
from fastproxy.upstream.demo import OFFLINE, DemoResponse, answer
from fastproxy.upstream.pool import ClientPool, Lease

LAST_RESORT_SECONDS = 1.0
_IDLE_CONNECTION = timedelta(seconds=60)
"""Shorter than the keep-alive of the providers' front ends, so that we rarely meet a closed connection."""


class UpstreamResponse:
    """An answer whose headers are in and whose body is read piece by piece. Must be closed."""

    __slots__ = ("_lease", "_pool", "_provider", "_reader", "_request", "headers", "status")

    def __init__(
        self, request: StreamRequest, response: Response, provider: str, pool: ClientPool, lease: Lease
    ) -> None:
        self._request: StreamRequest | None = request
        self._pool, self._lease = pool, lease
        self._provider = provider
        self._reader = response.body_reader
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers

    async def read_chunk(self) -> bytes | None:
        """The next piece as it came off the wire, None at the end. Raises UpstreamError."""
        try:
            chunk = await self._reader.read_chunk()
        except PyreqwestError as error:
            raise _broken(error, self._provider) from error
        return None if chunk is None else chunk.to_bytes()

    async def read_all(self, limit: int) -> bytes:
        """The rest of the body. Raises UpstreamError where it breaks or is larger than `limit` bytes."""
        pieces: list[bytes] = []
        size = 0
        while (chunk := await self.read_chunk()) is not None:
            size += len(chunk)
            if size > limit:
                raise UpstreamError(
                    ErrorKind.BAD_RESPONSE, f"{self._provider} sent a body of over {limit} bytes."
                )
            pieces.append(chunk)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def aclose(self) -> None:
        """Gives the connection back, or drops it where the body was not read to its end. Idempotent."""
        request, self._request = self._request, None
        if request is not None:
            try:
                await request.__aexit__(None, None, None)
            finally:
                self._pool.release(self._lease)


class UpstreamClient:
    """One pool of clients for each provider, made at its first request. Must be closed."""

    def __init__(self, *, user_agent: str) -> None:
        self._user_agent = user_agent
        self._pools: dict[str, ClientPool] = {}

    def __repr__(self) -> str:
        return f"<UpstreamClient pools={','.join(self._pools)}>"

    async def send(
        self,
        request: UpstreamRequest,
        deployment: Deployment,
        more_headers: Headers = (),
        *,
        stream: bool = False,
    ) -> UpstreamResponse | DemoResponse:
        """Sends the request; returns when the headers are in. Raises UpstreamError.

        `stream`: every piece of the body is handed on as it comes; otherwise up to 64 KiB come with the
        headers, which saves two changes of thread.
        """
        if request.url.startswith(OFFLINE):
            return answer(request)
        pool = self._pools.get(deployment.provider) or self._open(deployment)
        lease = pool.lease()
        try:
            builder = lease.client.request(request.method, request.url)
            builder = builder.headers([*request.headers, *more_headers]).body_bytes(request.body)
            if stream:
                builder = builder.streamed_read_buffer_limit(0)
            built = builder.build_streamed()
            response = await built.__aenter__()
        except asyncio.CancelledError:
            pool.abandon(lease)
            raise
        except PyreqwestError as error:
            pool.release(lease)
            raise _unreachable(error, deployment, request.url) from error
        except BaseException:
            pool.release(lease)
            raise
        return UpstreamResponse(built, response, deployment.provider, pool, lease)

    async def aclose(self) -> None:
        """Closes all pools."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    def _open(self, deployment: Deployment) -> ClientPool:
        timeouts, bypass = deployment.timeouts, _is_loopback(deployment.base_url)

        def make(mark: timedelta | None) -> Client:
            return _client(self._user_agent, timeouts, bypass, mark)

        pool = self._pools[deployment.provider] = ClientPool(make, timeouts.connect)
        return pool


def _client(user_agent: str, timeouts: Timeouts, bypass_proxies: bool, mark: timedelta | None) -> Client:
    builder = (
        ClientBuilder()
        .user_agent(user_agent)
        .http1_lower_case_headers()
        .follow_redirects(False)  # a redirect would carry the credential to a host nobody configured
        .referer(False)
        .gzip(False)  # a compressed stream is a buffered stream
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .connect_timeout(timedelta(seconds=timeouts.connect))
        # ours is shorter: this one ends what was given up and could not be shut down
        .timeout(timedelta(seconds=timeouts.total + LAST_RESORT_SECONDS))
        .pool_idle_timeout(_IDLE_CONNECTION)
    )
    if bypass_proxies:
        builder = builder.no_proxy()  # the environment's proxies do not lead to this machine
    if mark is not None:
        builder = builder.tcp_user_timeout(mark)
    return builder.build()


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _causes(error: PyreqwestError) -> str:
    details = getattr(error, "details", None) or {}
    return " ".join(cause["message"] for cause in details.get("causes") or ())


def _unreachable(error: PyreqwestError, deployment: Deployment, url: str) -> UpstreamError:
    place = f"{deployment.provider} at {_origin(url)}"
    if isinstance(error, ConnectTimeoutError):
        seconds = f"{deployment.timeouts.connect:g}"
        return UpstreamError(
            ErrorKind.CONNECT_TIMEOUT, f"No connection to {place} within {seconds} s (connect_timeout)."
        )
    causes = _causes(error).lower()
    for sign, text in _CONNECT_FAULTS:
        if sign in causes:
            return UpstreamError(ErrorKind.CONNECTION_FAILED, text.format(place=place))
    if isinstance(error, ConnectError):
        return UpstreamError(ErrorKind.CONNECTION_FAILED, f"Cannot connect to {place}.")
    return _broken(error, place)


_CONNECT_FAULTS = (
    ("connection refused", "{place} refuses connections: is it running, and is base_url right?"),
    ("dns error", "The name of {place} cannot be resolved: check base_url and the network."),
    ("certificate", "The TLS certificate of {place} is not trusted: check base_url and the machine's CAs."),
    ("tls", "TLS with {place} failed: check base_url (http or https?)."),
    ("unreachable", "{place} cannot be reached from this machine's network."),
)


def _broken(error: PyreqwestError, place: str) -> UpstreamError:
    if isinstance(error, RequestTimeoutError):
        return UpstreamError(ErrorKind.IDLE_TIMEOUT, f"{place} stopped answering.")
    return UpstreamError(ErrorKind.CONNECTION_FAILED, f"{place} broke the connection.")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
