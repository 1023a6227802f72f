"""Makes our Robyn app an ASGI app. Knows HTTP and nothing of LLMs.

Here is what lives as long as the app: its routes and its start and end. One request's life is in
`asgi_exchange.py`.
"""

from __future__ import annotations

import inspect
import re
import sys
from typing import TYPE_CHECKING, Any

from fastproxy.asgi_exchange import LOOK_SECONDS, Exchange, Handler, OnError, Receive, Scope, Send
from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.sweep import Sweep

if TYPE_CHECKING:
    from robyn import Robyn


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


def registered(app: Robyn) -> list[tuple[str, str]]:
    """(method, path) of every route of a Robyn app."""
    return [(_method(route), route.route) for route in app.router.get_routes()]


class RobynAsgi:
    """The ASGI callable around a Robyn app whose handlers take one `HttpRequest`."""

    def __init__(
        self,
        app: Robyn,
        *,
        on_error: OnError,
        max_body_bytes: int,
        body_idle_seconds: float = 30.0,
        body_total_seconds: float = 600.0,
        server_header: str = "fastproxy",
    ) -> None:
        self._static: dict[str, dict[str, Handler]] = {}
        self._dynamic: list[tuple[re.Pattern[str], dict[str, Handler]]] = []
        self.on_error = on_error
        self.max_body_bytes = max_body_bytes
        self.body_idle_seconds, self.body_total_seconds = body_idle_seconds, body_total_seconds
        self.server_header = (b"server", server_header.encode())
        self.under_way: Sweep[Exchange] = Sweep(Exchange.look, LOOK_SECONDS)
        self.routes = registered(app)
        """(method, path) of every route."""
        self._events = {event.name.lower(): info.handler for event, info in app.event_handlers.items()}
        for route in app.router.get_routes():
            self._add(_method(route), route.route, route.function.handler)

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
            await Exchange(self, scope, receive, send).run()
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
        methods, params = self.match(path)
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

    def match(self, path: str) -> tuple[dict[str, Handler] | None, dict[str, str]]:
        """The handlers of this path by method, None where there is none, and its parameters."""
        methods = self._static.get(path)
        if methods is None and len(path) > 1 and path.endswith("/"):  # no redirect: it would drop the body
            path = path.rstrip("/")
            methods = self._static.get(path)
        if methods is not None:
            return methods, {}
        for pattern, found in self._dynamic:
            if match := pattern.fullmatch(path):
                return found, match.groupdict()  # ASGI's path is decoded already
        return None, {}


def _method(route: Any) -> str:
    return str(route.route_type).removeprefix("HttpMethod.")


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
