"""Makes our Robyn app an ASGI app. Knows HTTP and nothing of LLMs.

What it keeps, whatever a handler does:
1. Every request gets exactly one answer; an exception becomes one through `on_error`.
2. A body is read once, bounded, and not a byte further than `content-length` says: one more `receive()`
   is one more hop between two threads.
3. A client that leaves cancels its handler. Under Granian `send()` never raises then, only `receive()`
   tells; a task on it for every request costs 15 % of the throughput, so it is armed by a timer.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import secrets
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.http import EVENT_STREAM, HttpRequest, Reply, StreamReply
from fastproxy.types import Headers

if TYPE_CHECKING:
    from robyn import Robyn

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handler = Callable[[HttpRequest], Awaitable[Reply | StreamReply]]
OnError = Callable[[BaseException, HttpRequest], Reply]

WATCH_AFTER_SECONDS = 0.25
"""Answers that take longer are worth a task that notices a client's leaving."""

_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_CORS_METHODS = b"GET, HEAD, POST, OPTIONS"


def create_robyn(file: str) -> Robyn:
    """A Robyn app that reads no arguments of ours, prints nothing, and sets up no logging.

    Robyn parses the command line when it is imported and again when it is made (`--help` would print its
    own help): it sees none.
    """
    arguments, sys.argv = sys.argv, sys.argv[:1]
    try:
        from robyn import Robyn
        from robyn.argument_parser import Config

        config = Config()
        config.log_level = "WARN"
        return Robyn(file, config=config)
    finally:
        sys.argv = arguments


class RobynAsgi:
    """The ASGI callable around a Robyn app whose handlers take one `HttpRequest`."""

    def __init__(
        self, app: Robyn, *, on_error: OnError, max_body_bytes: int, server_header: str = "fastproxy"
    ) -> None:
        self._static: dict[str, dict[str, Handler]] = {}
        self._dynamic: list[tuple[re.Pattern[str], dict[str, Handler]]] = []
        self._on_error = on_error
        self._max_body_bytes = max_body_bytes
        self._events = {event.name.lower(): info.handler for event, info in app.event_handlers.items()}
        self._server_header = (b"server", server_header.encode())
        for route in app.router.get_routes():
            self._add(str(route.route_type).removeprefix("HttpMethod."), route.route, route.function.handler)

    def _add(self, method: str, path: str, wrapped: Any) -> None:
        # Robyn's wrapper resolves a handler's parameters anew at every call (10-30 µs): ours take just one
        handler: Handler = inspect.unwrap(wrapped)
        if ":" not in path and "*" not in path:
            self._static.setdefault(path, {})[method] = handler
            return
        pattern = re.compile(_route_pattern(path))
        for known, methods in self._dynamic:
            if known == pattern:
                methods[method] = handler
                return
        self._dynamic.append((pattern, {method: handler}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _Exchange(self, scope, receive, send).run()
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            name = message["type"].removeprefix("lifespan.")
            try:
                if name in self._events:
                    await self._events[name]()
            except Exception as error:  # noqa: BLE001 - told to the server, which stops
                await send({"type": f"lifespan.{name}.failed", "message": str(error)})
                return
            await send({"type": f"lifespan.{name}.complete"})
            if name == "shutdown":
                return

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """The handler for this request and its path parameters; raises ProxyError 404 or 405."""
        methods, params = self._match(path)
        if methods is None:
            raise ProxyError(
                ErrorKind.NOT_FOUND, f"There is no {path[:200]} here. GET /docs lists the paths."
            )
        handler = methods.get("GET" if method == "HEAD" and "HEAD" not in methods else method)
        if handler is None:
            allowed = ", ".join(sorted({*methods, "OPTIONS"}))
            raise ProxyError(
                ErrorKind.METHOD_NOT_ALLOWED,
                f"{path[:200]} takes {allowed}, not {method[:20]}.",
                headers={"allow": allowed},
            )
        return handler, params

    def _match(self, path: str) -> tuple[dict[str, Handler] | None, dict[str, str]]:
        methods = self._static.get(path)
        if methods is None and len(path) > 1 and path.endswith("/"):  # no redirect: it would drop the body
            path = path.rstrip("/")
            methods = self._static.get(path)
        if methods is not None:
            return methods, {}
        for pattern, found in self._dynamic:
            if match := pattern.fullmatch(path):
                return found, {name: unquote(value) for name, value in match.groupdict().items()}
        return None, {}


class _Exchange:
    """One request and its answer; also the sink of a streamed one."""

    __slots__ = (
        "_app",
        "_client_gone",
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

    def __init__(self, app: RobynAsgi, scope: Scope, receive: Receive, send: Send) -> None:
        self._app, self._scope, self._receive, self._send = app, scope, receive, send
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        asked_id = headers.get("x-request-id", "")
        self.request = HttpRequest(
            method=scope["method"],
            path=scope["path"],
            headers=headers,
            body=b"",
            query=scope["query_string"].decode("latin-1"),
            address=(scope.get("client") or ("",))[0],
            id=asked_id if _SANE_ID.fullmatch(asked_id) else f"req_{secrets.token_hex(12)}",
        )
        self._head = scope["method"] == "HEAD"
        self._origin = headers.get("origin")
        self._client_gone = False
        self._watcher: asyncio.Task[None] | None = None
        self._task: asyncio.Task[Any] | None = None
        self.started = False

    async def run(self) -> None:
        """Answers the request, whatever happens."""
        timer: asyncio.TimerHandle | None = None
        try:
            if self.request.method == "OPTIONS":
                await self._preflight()
                return
            handler, self.request.path_params = self._app.find(self.request.method, self.request.path)
            await self._read_body()
            self._task = asyncio.current_task()
            timer = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, self._watch)
            reply = await handler(self.request)
            if isinstance(reply, Reply):
                await self._whole(reply)
            else:
                await reply.run(self)
                await self._finish()
        except asyncio.CancelledError:
            if not self._client_gone:
                raise  # the server ends this request, not its client
        except Exception as error:  # noqa: BLE001 - the one place where an exception becomes an answer
            await self._fail(error)
        finally:
            if timer is not None:
                timer.cancel()
            if self._watcher is not None:
                self._watcher.cancel()

    def _watch(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._cancel_when_gone())

    async def _cancel_when_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._client_gone = True
        if self._task is not None:
            self._task.cancel()

    async def _read_body(self) -> None:
        limit = self._app._max_body_bytes
        declared = self.request.headers.get("content-length")
        if declared is None and "transfer-encoding" not in self.request.headers:
            return
        expected = int(declared) if declared is not None and declared.isdecimal() else None
        if expected is not None and expected > limit:
            raise _too_large(limit)
        body = b""
        pieces: list[bytes] = []
        size = 0
        while expected is None or size < expected:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._client_gone = True
                raise asyncio.CancelledError
            body = message.get("body", b"")
            size += len(body)
            if size > limit:
                raise _too_large(limit)
            pieces.append(body)
            if not message.get("more_body", False):
                break
        self.request.body = body if len(pieces) == 1 else b"".join(pieces)

    async def _preflight(self) -> None:
        methods, _ = self._app._match(self.request.path)
        if methods is None:
            self._app.find("OPTIONS", self.request.path)
        asked = self.request.headers.get("access-control-request-headers", "authorization, content-type")
        headers: Headers = (
            ("access-control-allow-methods", _CORS_METHODS.decode()),
            ("access-control-allow-headers", asked),
            ("access-control-max-age", "86400"),
            ("allow", _CORS_METHODS.decode()),
        )
        await self._whole(Reply(b"", status=204, content_type="", headers=headers))

    async def _fail(self, error: Exception) -> None:
        reply = self._app._on_error(error, self.request)
        if self.started:  # too late for a status: cut, so that nobody takes the answer for whole
            raise error
        await self._whole(reply)

    def _raw_headers(self, headers: Headers, content_type: str) -> list[tuple[bytes, bytes]]:
        raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        raw += (self._app._server_header, (b"x-request-id", self.request.id.encode("latin-1")))
        if content_type:
            raw.append((b"content-type", content_type.encode("latin-1")))
        if self._origin is not None:
            raw.append((b"access-control-allow-origin", self._origin.encode("latin-1")))
            raw.append((b"vary", b"origin"))
            raw.append((b"access-control-expose-headers", b"*"))
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

    async def write(self, data: bytes) -> None:
        """Sends a piece of a streamed answer; returns when there is room for more."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _finish(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _route_pattern(path: str) -> str:
    """A regular expression for Robyn's `/a/:id` and `/a/*tail`."""
    pieces = []
    for segment in path.strip("/").split("/"):
        if segment.startswith(":"):
            pieces.append(f"(?P<{segment[1:]}>[^/]+)")
        elif segment.startswith("*"):
            pieces.append(f"(?P<{segment[1:] or 'tail'}>.+)")
        else:
            pieces.append(re.escape(segment))
    return "/" + "/".join(pieces)


def _too_large(limit: int) -> ProxyError:
    return ProxyError(
        ErrorKind.REQUEST_TOO_LARGE,
        f"The request's body is larger than {limit} bytes (server.max_body_bytes).",
        headers={"connection": "close"},
    )
