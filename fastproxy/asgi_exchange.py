"""One HTTP request and its answer over ASGI.

What it keeps, whatever a client sends or a handler does:
1. Every request gets exactly one answer; an exception becomes one through `on_error`.
2. A body is read once, bounded in size and time, and not a byte further than `content-length` says: one more
   `receive()` is one more hop between two threads.
3. A client that leaves cancels its handler. Under Granian `send()` never raises then, only `receive()`
   tells; a task on it for every request costs 15 % of the throughput, and a timer of its own is not free: one
   timer for all of them makes the task for those that are still there when it comes round.
4. Two readings of one request are refused, not chosen from: a doubled `host` or `content-length`, a length
   beside chunks, a transfer coding that nobody decoded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from fastproxy.cors import answer_headers, preflight_headers
from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.http import EVENT_STREAM, HttpRequest, Reply, StreamReply
from fastproxy.ids import request_id
from fastproxy.inflate import too_large
from fastproxy.sweep import Sweep
from fastproxy.types import Headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handler = Callable[[HttpRequest], Awaitable[Reply | StreamReply]]
OnError = Callable[[BaseException, HttpRequest], Reply]

LOOK_SECONDS = 0.25
"""How often it is looked at who is still there: a late body, an answer that takes long."""
CANCEL_AGAIN_SECONDS = 0.25

_ONCE = (
    b"host",
    b"content-length",
    b"content-type",
    b"content-encoding",
    b"transfer-encoding",
    b"authorization",
    b"x-api-key",
    b"origin",
)
"""Headers on which a decision hangs: twice, and somebody in between may have decided otherwise."""
_CLOSE = {"connection": "close"}


class App(Protocol):
    """What an exchange needs of the app around it."""

    on_error: OnError
    max_body_bytes: int
    body_idle_seconds: float
    body_total_seconds: float
    server_header: tuple[bytes, bytes]
    under_way: Sweep[Exchange]

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """The handler and its path parameters; raises ProxyError 404 or 405."""
        ...

    def match(self, path: str) -> tuple[dict[str, Handler] | None, dict[str, str]]:
        """The handlers of a path by method, None where there is none."""
        ...


class Exchange:
    """One request and its answer; also the sink of a streamed one."""

    __slots__ = (
        "_app",
        "_body_bytes",
        "_body_late",
        "_client_gone",
        "_clock",
        "_head",
        "_origin",
        "_receive",
        "_scope",
        "_send",
        "_task",
        "_watcher",
        "request",
        "started",
    )

    def __init__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        self._app, self._scope, self._receive, self._send = app, scope, receive, send
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.request = HttpRequest(
            method=scope["method"],
            path=scope["path"],
            headers=headers,
            body=b"",
            query=scope["query_string"].decode("latin-1"),
            address=(scope.get("client") or ("",))[0],
            id=request_id(headers.get("x-request-id", "")),
            body_limit=app.max_body_bytes,
        )
        self._head = scope["method"] == "HEAD"
        self._origin = headers.get("origin")
        self._client_gone = self._body_late = False
        self._watcher: asyncio.Task[None] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._body_bytes: int | None = None
        """While a body is read: what has come of it."""
        self._clock: _BodyClock | None = None
        self.started = False

    async def run(self) -> None:
        """Answers the request, whatever happens."""
        try:
            self._require_one_reading()
            if self.request.method == "OPTIONS":
                await self._preflight()
                return
            handler, self.request.path_params = self._app.find(self.request.method, self.request.path)
            self._task = self.request.task = asyncio.current_task()
            self._app.under_way.add(self)
            await self._read_body()
            reply = await handler(self.request)
            if isinstance(reply, Reply):
                await self._whole(reply)
            else:
                await reply.run(self)
                await self._finish()
        except asyncio.CancelledError:
            if self._body_late:
                await self._fail(_late(self._app))
            elif not self._client_gone:
                raise  # the server ends this request, not its client
        except Exception as error:  # noqa: BLE001 - the one place where an exception becomes an answer
            await self._fail(error)
        finally:
            self._app.under_way.discard(self)
            if self._watcher is not None:
                self._watcher.cancel()

    def _require_one_reading(self) -> None:
        headers = self.request.headers
        coding = headers.get("transfer-encoding")
        if coding is not None:
            if coding.strip().lower() != "chunked":
                raise _ambiguous("The only transfer encoding taken is `chunked`.")
            if "content-length" in headers:
                raise _ambiguous("Send either `content-length` or `transfer-encoding`, not both.")
        sent = self._scope["headers"]
        if len(headers) != len(sent):
            names = [name for name, _ in sent]
            for name in _ONCE:
                if names.count(name) > 1:
                    raise _ambiguous(f"The header `{name.decode()}` was sent more than once.")

    def look(self, now: float) -> None:
        """Guards a slow body; after it, has somebody watch for the client's leaving."""
        if self._body_bytes is None:
            self._app.under_way.discard(self)
            self._watcher = asyncio.get_running_loop().create_task(self._cancel_when_gone())
            return
        if self._clock is None:
            self._clock = _BodyClock(self._app, now)
        self._body_late = self._clock.is_late(now, self._body_bytes)
        if self._body_late and self._task is not None:
            self._app.under_way.discard(self)
            self._task.cancel()

    async def _cancel_when_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._client_gone = True
        while self._task is not None and not self._task.done():
            self._task.cancel()
            # one that meets an extension's future in the moment of its result is lost
            await asyncio.sleep(CANCEL_AGAIN_SECONDS)

    async def _read_body(self) -> None:
        limit = self._app.max_body_bytes
        declared = self.request.headers.get("content-length")
        framed = self._scope["http_version"] == "2"  # a body there needs no header that tells of it
        if declared is None and "transfer-encoding" not in self.request.headers and not framed:
            return
        expected = int(declared) if declared is not None and declared.isdecimal() else None
        if expected is not None and expected > limit:
            raise too_large(limit)
        pieces: list[bytes] = []
        self._body_bytes = size = 0
        while expected is None or size < expected:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _cut()
            pieces.append(message.get("body", b""))
            self._body_bytes = size = size + len(pieces[-1])
            if size > limit:
                raise too_large(limit)
            if not message.get("more_body", False):
                break
        self._body_bytes = None
        self.request.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _preflight(self) -> None:
        methods, _ = self._app.match(self.request.path)
        if methods is None:
            self._app.find("OPTIONS", self.request.path)
        headers = preflight_headers(self.request.headers)
        await self._whole(Reply(b"", status=204, content_type="", headers=headers))

    async def _fail(self, error: Exception) -> None:
        reply = self._app.on_error(error, self.request)
        if self.started:  # too late for a status: cut, so that nobody takes the answer for whole
            raise error
        await self._whole(reply)

    def _raw_headers(self, headers: Headers, content_type: str) -> list[tuple[bytes, bytes]]:
        raw = [
            (name.encode(), value.encode() if value.isascii() and value.isprintable() else _sendable(value))
            for name, value in headers
        ]
        raw += (self._app.server_header, (b"x-request-id", self.request.id.encode("latin-1")))
        if content_type:
            raw.append((b"content-type", content_type.encode("latin-1")))
        if self._origin is not None:
            raw += answer_headers(self._origin)
        return raw

    async def _whole(self, reply: Reply) -> None:
        raw = self._raw_headers(reply.headers, reply.content_type)
        if reply.status != 204:
            raw.append((b"content-length", str(len(reply.body)).encode()))
        self.started = True
        await self._send({"type": "http.response.start", "status": reply.status, "headers": raw})
        await self._send({"type": "http.response.body", "body": b"" if self._head else reply.body})

    async def start(self, headers: Headers, *, status: int = 200, content_type: str = EVENT_STREAM) -> None:
        """Sends status and headers of a streamed answer."""
        self.started = True
        raw = self._raw_headers(headers, content_type)
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    def write(self, data: bytes) -> Awaitable[None]:
        """Sends a piece of a streamed answer; returns when there is room for more."""
        # no coroutine of its own: this is called for every event
        return self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _finish(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


class _BodyClock:
    """How long a slow body may take. Made once a body has not come at once."""

    def __init__(self, app: App, now: float) -> None:
        self._app, self._began, self._moved, self._size = app, now, now, -1

    def is_late(self, now: float, size: int) -> bool:
        """Whether a body of which `size` bytes have come by now is given up."""
        if size != self._size:
            self._size, self._moved = size, now
        app = self._app
        return now - self._moved >= app.body_idle_seconds or now - self._began >= app.body_total_seconds


def _sendable(value: str) -> bytes:
    """A header's value as bytes that end no line: names of models and parameters are the client's words."""
    return "".join(letter if letter.isprintable() else "?" for letter in value).encode("latin-1", "replace")


def _ambiguous(message: str) -> ProxyError:
    return ProxyError(ErrorKind.INVALID_REQUEST, message, headers=_CLOSE)


def _cut() -> ProxyError:
    message = "The request's body broke off: the connection was closed, or the chunks are malformed."
    return ProxyError(ErrorKind.INVALID_REQUEST, message, headers=_CLOSE)


def _late(app: App) -> ProxyError:
    return ProxyError(
        ErrorKind.REQUEST_TIMEOUT,
        f"The request's body did not arrive: {app.body_idle_seconds:g} s without a byte, or "
        f"{app.body_total_seconds:g} s in all.",
        headers=_CLOSE,
    )
