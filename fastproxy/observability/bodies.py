"""Logs what is said (`server.log_bodies`): each body of a request, bounded in size and without secrets.

For debugging. Where it is off nothing of this file runs: it wraps the app and the way out from outside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import structlog

from fastproxy.errors import ProxyError
from fastproxy.ids import request_id
from fastproxy.inflate import inflate
from fastproxy.observability.redaction import Redactor
from fastproxy.types import Deployment, Headers, UpstreamRequest
from fastproxy.upstream.contract import Upstream, UpstreamResponse

KEPT_BYTES = 1024 * 1024
"""Of each body, before it is shortened: an image at its beginning must not hide the words after it."""
TOLD_CHARACTERS = 32 * 1024
WARNING = (
    "Prompts and answers are written to the log (server.log_bodies): for debugging only. Known secrets are "
    "left out, all else that is said is there."
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class _Body:
    """The beginning of a body, and its size."""

    __slots__ = ("_pieces", "kept", "size")

    def __init__(self, data: bytes = b"") -> None:
        self._pieces: list[bytes] = []
        self.kept = self.size = 0
        self.add(data)

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if data and self.kept < KEPT_BYTES:
            self._pieces.append(data[: KEPT_BYTES - self.kept])
            self.kept += len(self._pieces[-1])

    @property
    def data(self) -> bytes:
        return b"".join(self._pieces)


class BodyLog:
    """Writes the lines."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._log = structlog.get_logger()

    def warn(self) -> None:
        """Says that it is on."""
        self._log.warning("bodies are logged", reason=WARNING)

    def around_app(self, app: App) -> App:
        """The app, with its clients' bodies logged."""
        return _LoggedApp(app, self)

    def around_upstream(self, upstream: Upstream) -> Upstream:
        """The way out, with its providers' bodies logged."""
        return _LoggedUpstream(upstream, self)

    def tell(self, what: str, request_id: str, body: _Body, **fields: object) -> None:
        """One body; `what` says whose it is and where it goes."""
        text = self._redactor.redact(body.data.decode("utf-8", "replace"))
        if body.size > body.kept or len(text) > TOLD_CHARACTERS:
            fields["cut"] = True
        text = text[:TOLD_CHARACTERS]
        self._log.info("body", what=what, request_id=request_id, bytes=body.size, **fields, body=text)


class _LoggedApp:
    """Logs the bodies of requests by POST, and those of their answers."""

    def __init__(self, app: App, log: BodyLog) -> None:
        self._app, self._log = app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._log)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            await exchange.end()


class _Exchange:
    """One request and its answer, overheard."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, log: BodyLog) -> None:
        self._receive, self._send, self._log = receive, send, log
        self._request_id = _name(scope)
        headers = dict(scope["headers"])
        self._coding = headers.get(b"content-encoding", b"").decode("latin-1")
        length = headers.get(b"content-length", b"")
        self._length = int(length) if length.isdigit() else None
        self._asked: _Body | None = _Body()
        self._answered, self._status = _Body(), 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and self._asked is not None:
            self._asked.add(message.get("body", b""))
            if self._asked.size == self._length or not message.get("more_body", False):
                await self._tell_asked()
        return message

    async def send(self, message: Message) -> None:
        self._status = message.get("status", self._status)
        self._answered.add(message.get("body", b""))
        await self._send(message)

    async def _tell_asked(self) -> None:
        body, self._asked = self._asked, None
        if body is not None:
            self._log.tell("request of the client", self._request_id, await _inflated(body, self._coding))

    async def end(self) -> None:
        await self._tell_asked()
        self._log.tell("answer to the client", self._request_id, self._answered, status=self._status)


def _name(scope: Scope) -> str:
    """The request's id, which it has from now on."""
    name = request_id(dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1"))
    others = [pair for pair in scope["headers"] if pair[0] != b"x-request-id"]
    scope["headers"] = [*others, (b"x-request-id", name.encode())]
    return name


async def _inflated(body: _Body, coding: str) -> _Body:
    if not coding or body.size > body.kept:
        return body
    try:
        return _Body(await inflate(body.data, coding, KEPT_BYTES))
    except ProxyError:
        return body


class _LoggedUpstream:
    def __init__(self, upstream: Upstream, log: BodyLog) -> None:
        self._upstream, self._log = upstream, log

    async def send(
        self,
        request: UpstreamRequest,
        deployment: Deployment,
        more_headers: Headers = (),
        *,
        stream: bool = False,
    ) -> UpstreamResponse:
        request_id, provider = dict(more_headers).get("x-request-id", ""), deployment.provider
        self._log.tell("request to the provider", request_id, _Body(request.body), provider=provider)
        response = await self._upstream.send(request, deployment, more_headers, stream=stream)
        return _LoggedResponse(response, self._log, request_id, provider)


class _LoggedResponse:
    def __init__(self, response: UpstreamResponse, log: BodyLog, request_id: str, provider: str) -> None:
        self._response, self._log = response, log
        self._request_id, self._provider = request_id, provider
        self._body: _Body | None = _Body()

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    async def read_chunk(self) -> bytes | None:
        return self._noted(await self._response.read_chunk())

    async def read_all(self, limit: int) -> bytes:
        body = await self._response.read_all(limit)
        self._noted(body)
        return body

    def _noted(self, data: bytes | None) -> bytes | None:
        if data and self._body is not None:
            self._body.add(data)
        return data

    async def aclose(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            what, place = "answer of the provider", {"provider": self._provider, "status": self.status}
            self._log.tell(what, self._request_id, body, **place)
        await self._response.aclose()
