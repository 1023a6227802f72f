"""The ASGI callable around a Robyn app, driven as a server drives it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from fastproxy.asgi import RobynAsgi, create_robyn
from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.http import HttpRequest, Reply, Sink
from tests.fakes import asgi_headers
from tests.fastclock import fast, now

LIMIT = 2048
Handler = Callable[[HttpRequest], Awaitable[Any]]


class Parts:
    """A streamed answer of these parts; an exception among them is raised, a float is a pause."""

    def __init__(self, *parts: bytes | float | BaseException, started: bool = True) -> None:
        self._parts, self._started = parts, started
        self.ended: BaseException | str = "never ran"

    async def run(self, sink: Sink) -> None:
        self.ended = "cut"
        try:
            if self._started:
                await sink.start((("x-own", "1"),))
            for part in self._parts:
                if isinstance(part, BaseException):
                    raise part
                await (asyncio.sleep(part) if isinstance(part, float) else sink.write(part))
            self.ended = "whole"
        except BaseException as error:
            self.ended = error
            raise


class Server:
    """What an ASGI server does: one request, its body, a client that may leave, and the answer's messages."""

    def __init__(
        self, routes: Mapping[tuple[str, str], Handler], **events: Callable[[], Awaitable[None]]
    ) -> None:
        robyn = create_robyn(__file__)
        for (method, path), handler in routes.items():
            robyn.add_route(method, path, handler)
        if "startup" in events:
            robyn.startup_handler(events["startup"])
        if "shutdown" in events:
            robyn.shutdown_handler(events["shutdown"])
        self.app = RobynAsgi(robyn, on_error=self._on_error, max_body_bytes=LIMIT)
        self.errors: list[BaseException] = []
        self.gone = asyncio.Event()
        self.messages: list[dict[str, Any]] = []
        self.receives = 0
        self.http_version = "1.1"

    def _on_error(self, error: BaseException, request: HttpRequest) -> Reply:
        self.errors.append(error)
        if isinstance(error, ProxyError):
            return Reply(error.code.encode(), error.status, headers=tuple(error.headers.items()))
        return Reply(b"internal", 500)

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: bytes | list[bytes] | None = None,
        query: bytes = b"",
        leaves_in_body: bool = False,
        stalls_in_body: bool = False,
    ) -> Answer:
        cut = leaves_in_body or stalls_in_body
        pieces = [] if body is None else [body] if isinstance(body, bytes) else list(body)
        sent = list(headers.items() if isinstance(headers, Mapping) else headers)
        if isinstance(body, bytes):
            sent.append(("content-length", str(len(body))))

        async def receive() -> dict[str, Any]:
            self.receives += 1
            if pieces:
                piece = pieces.pop(0)
                return {"type": "http.request", "body": piece, "more_body": bool(pieces) or cut}
            if not leaves_in_body:
                await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            self.messages.append(message)

        scope = {
            "type": "http",
            "http_version": self.http_version,
            "method": method,
            "path": path,
            "query_string": query,
            "headers": asgi_headers(sent),
            "client": ("127.0.0.9", 5000),
        }
        await self.app(scope, receive, send)  # type: ignore[arg-type]
        return Answer(self.messages)

    async def lifespan(self, *names: str) -> list[dict[str, Any]]:
        queue = [{"type": f"lifespan.{name}"} for name in names]

        async def receive() -> dict[str, Any]:
            return queue.pop(0)

        async def send(message: dict[str, Any]) -> None:
            self.messages.append(message)

        await self.app({"type": "lifespan"}, receive, send)  # type: ignore[arg-type]
        return self.messages


class Answer:
    """The messages of one answer, which must be a legal one."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        start, *bodies = messages
        assert start["type"] == "http.response.start"
        assert all(message["type"] == "http.response.body" for message in bodies)
        assert [message.get("more_body", False) for message in bodies] == [True] * (len(bodies) - 1) + [False]
        self.status = start["status"]
        names = [name for name, _ in start["headers"]]
        assert len(names) == len(set(names)), "a header twice"
        assert all(name == name.lower() for name in names)
        self.headers = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        self.body = b"".join(message["body"] for message in bodies)


async def echo(request: HttpRequest) -> Reply:
    return Reply(request.body or b"nothing", headers=(("x-own", "1"),))


async def params(request: HttpRequest) -> Reply:
    return Reply(repr(dict(request.path_params)).encode())


def serve(answer: Any) -> Server:
    async def handler(_request: HttpRequest) -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return Server({("GET", "/"): handler, ("POST", "/"): handler})


ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "/things"): echo,
    ("POST", "/things"): echo,
    ("GET", "/things/:id"): params,
    ("DELETE", "/things/:id"): params,
    ("GET", "/models/*model"): params,
    ("GET", "/"): echo,
    ("HEAD", "/own-head"): params,
    ("GET", "/own-head"): echo,
}


@pytest.fixture
def server() -> Server:
    return Server(ROUTES)


async def test_a_handler_gets_the_request_and_its_reply_is_sent(server: Server) -> None:
    seen: list[HttpRequest] = []

    async def look(request: HttpRequest) -> Reply:
        seen.append(request)
        return Reply(b"ok", status=201, content_type="text/plain")

    answer = await Server({("POST", "/a"): look}).ask("POST", "/a", {"x-b": "\xfc"}, b"hello", b"q=1&r=%20")
    (request,) = seen
    assert (request.method, request.path, request.body, request.query) == (
        "POST",
        "/a",
        b"hello",
        "q=1&r=%20",
    )
    assert (request.headers["x-b"], request.address) == ("\xfc", "127.0.0.9")
    assert (answer.status, answer.body) == (201, b"ok")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["content-length"] == "2"
    assert answer.headers["server"] == "fastproxy"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/things/7", {"id": "7"}),
        ("/things/a b", {"id": "a b"}),
        ("/things/7/", {"id": "7"}),
        ("/models/ollama/llama3.2:3b", {"model": "ollama/llama3.2:3b"}),
        ("/models/a%2Fb", {"model": "a%2Fb"}),
    ],
)
async def test_parameters_of_a_path_are_read(server: Server, path: str, expected: dict[str, str]) -> None:
    assert (await server.ask("GET", path)).body == repr(expected).encode()


async def test_a_trailing_slash_does_not_matter(server: Server) -> None:
    assert (await server.ask("POST", "/things/", body=b"x")).body == b"x"


@pytest.mark.parametrize("path", ["/nothing", "/things/7/8", "/models/", "//", "", "/thing.", "/things\n"])
async def test_an_unknown_path_is_404(server: Server, path: str) -> None:
    answer = await server.ask("GET", path)
    assert (answer.status, answer.body) == (404, b"not_found")


@pytest.mark.parametrize(
    ("path", "methods"), [("/things", {"GET", "POST"}), ("/things/7", {"GET", "DELETE"})]
)
async def test_another_method_is_405_and_the_allowed_ones_are_told(
    server: Server, path: str, methods: set[str]
) -> None:
    answer = await server.ask("PATCH", path)
    assert (answer.status, answer.body) == (405, b"method_not_allowed")
    assert methods <= set(answer.headers["allow"].split(", "))


async def test_head_is_get_without_the_body(server: Server) -> None:
    answer = await server.ask("HEAD", "/things")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "7")


async def test_a_route_may_have_a_head_of_its_own(server: Server) -> None:
    assert (await server.ask("HEAD", "/own-head")).headers["content-length"] == "2"


async def test_head_of_an_error_has_no_body_either(server: Server) -> None:
    answer = await server.ask("HEAD", "/nothing")
    assert (answer.status, answer.body) == (404, b"")


async def test_a_preflight_is_answered_for_known_paths_only(server: Server) -> None:
    asked = {"origin": "http://localhost:3000", "access-control-request-headers": "x-stainless-os"}
    answer = await server.ask("OPTIONS", "/things", asked)
    assert (answer.status, answer.body) == (204, b"")
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "x-stainless-os"
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "content-length" not in answer.headers


async def test_a_preflight_of_an_unknown_path_is_404(server: Server) -> None:
    assert (await server.ask("OPTIONS", "/nothing")).status == 404


async def test_an_origin_is_answered_and_none_is_not(server: Server) -> None:
    answer = await server.ask("GET", "/things", {"origin": "http://localhost:3000"})
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert answer.headers["vary"] == "origin"


async def test_without_an_origin_there_are_no_cors_headers(server: Server) -> None:
    assert "access-control-allow-origin" not in (await server.ask("GET", "/things")).headers


async def test_errors_can_be_read_by_a_local_page_too(server: Server) -> None:
    answer = await server.ask("GET", "/nothing", {"origin": "http://localhost:3000"})
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"


@pytest.mark.parametrize("sent", ["abc", "req-1.2:3/4+5=6@7", "x" * 128])
async def test_a_sane_request_id_comes_back(server: Server, sent: str) -> None:
    assert (await server.ask("GET", "/things", {"x-request-id": sent})).headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", [None, "", "a b", "x" * 129, "\xe9", "a\nb", "a\n"])
async def test_else_there_is_one_of_ours(server: Server, sent: str | None) -> None:
    answer = await server.ask("GET", "/things", {} if sent is None else {"x-request-id": sent})
    assert answer.headers["x-request-id"].startswith("req_")
    assert len(answer.headers["x-request-id"]) == 28


@pytest.mark.parametrize("value", ["a\r\nset-cookie: b", "a\nb", "a\x00b", "a\x7fb"])
async def test_a_header_of_ours_cannot_be_broken_by_what_stands_in_it(value: str) -> None:
    answer = await serve(Reply(b"", headers=(("x-fastproxy-model", value),))).ask("GET", "/")
    sent = answer.headers["x-fastproxy-model"]
    assert sent.startswith("a")
    assert sent.isprintable()


async def test_a_header_outside_of_latin_1_is_still_sent() -> None:
    answer = await serve(Reply(b"", headers=(("x-fastproxy-model", "模型"),))).ask("GET", "/")
    assert answer.headers["x-fastproxy-model"] == "??"


async def test_a_body_is_read_no_further_than_its_length(server: Server) -> None:
    await server.ask("POST", "/things", {"content-length": "6"}, [b"abc", b"def"])
    assert server.receives == 2


@pytest.mark.parametrize("headers", [{}, {"content-length": "0"}])
async def test_a_request_without_a_body_is_not_read_at_all(server: Server, headers: dict[str, str]) -> None:
    assert (await server.ask("POST", "/things", headers)).body == b"nothing"
    assert server.receives == 0


async def test_a_body_without_a_length_is_read_to_its_end(server: Server) -> None:
    answer = await server.ask("POST", "/things", {"transfer-encoding": "chunked"}, [b"ab", b"", b"cd"])
    assert answer.body == b"abcd"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-length": str(LIMIT + 1)}, []),
        ({"transfer-encoding": "chunked"}, [b"x" * LIMIT, b"x"]),
    ],
)
async def test_a_body_that_is_too_large_is_refused_before_it_is_held(
    server: Server, headers: dict[str, str], body: list[bytes]
) -> None:
    answer = await server.ask("POST", "/things", headers, body)
    assert (answer.status, answer.body) == (413, b"request_too_large")
    assert answer.headers["connection"] == "close"
    assert server.receives == len(body)


async def test_the_largest_body_is_taken(server: Server) -> None:
    assert (await server.ask("POST", "/things", body=b"x" * LIMIT)).body == b"x" * LIMIT


async def test_a_body_that_breaks_off_reaches_no_handler(server: Server) -> None:
    answer = await server.ask("POST", "/things", {"content-length": "9"}, [b"abc"], leaves_in_body=True)
    assert (answer.status, answer.headers["connection"]) == (400, "close")


async def test_over_http_2_a_body_needs_neither_length_nor_coding(server: Server) -> None:
    server.http_version = "2"
    assert (await server.ask("POST", "/things", {}, [b"ab", b"cd"])).body == b"abcd"


@fast
async def test_a_body_that_stops_coming_is_given_up() -> None:
    server = Server(ROUTES)
    answer = await server.ask("POST", "/things", {"content-length": "9"}, [b"abc"], stalls_in_body=True)
    assert (answer.status, answer.body) == (408, b"request_timeout")
    assert now() < 1000


@pytest.mark.parametrize(
    "headers",
    [
        [("host", "a"), ("host", "b")],
        [("content-length", "3"), ("content-length", "4")],
        [("content-length", "3"), ("transfer-encoding", "chunked")],
        [("transfer-encoding", "gzip, chunked")],
        [("authorization", "Bearer a"), ("authorization", "Bearer b")],
    ],
)
async def test_a_request_that_can_be_read_two_ways_is_refused(
    server: Server, headers: list[tuple[str, str]]
) -> None:
    answer = await server.ask("POST", "/things", headers, [b"abc"])
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert server.receives == 0


async def test_other_headers_may_come_twice(server: Server) -> None:
    assert (await server.ask("GET", "/things", [("x-a", "1"), ("x-a", "2")])).status == 200


@fast
async def test_a_client_that_leaves_cancels_its_handler_and_gets_nothing() -> None:
    cancelled = []

    async def slow(_request: HttpRequest) -> Reply:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            cancelled.append(now())
            raise
        return Reply(b"late")

    server = Server({("GET", "/"): slow})
    asyncio.get_running_loop().call_later(5, server.gone.set)
    with pytest.raises(ValueError, match="not enough values"):
        await server.ask("GET", "/")
    assert (cancelled, server.messages, server.errors) == ([5], [], [])


@fast
async def test_a_client_that_leaves_in_the_middle_of_a_stream_ends_it() -> None:
    parts = Parts(b"a", 1000.0, b"b")
    server = serve(parts)
    asyncio.get_running_loop().call_later(5, server.gone.set)
    with pytest.raises(AssertionError):  # no last message
        await server.ask("GET", "/")
    assert isinstance(parts.ended, asyncio.CancelledError)
    assert [message.get("body") for message in server.messages] == [None, b"a"]
    assert now() == 5


@fast
async def test_a_server_that_ends_a_request_is_obeyed() -> None:
    server = serve(Parts(1000.0))
    task = asyncio.create_task(server.ask("GET", "/"))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.errors == []


@fast
async def test_nobody_watches_a_request_that_is_answered() -> None:
    server, before = serve(Parts(b"a", 1.0, b"b")), asyncio.all_tasks()
    assert (await server.ask("GET", "/")).body == b"ab"
    await asyncio.sleep(100)
    assert asyncio.all_tasks() == before


@fast
async def test_a_short_request_needs_no_watcher() -> None:
    server = serve(Reply(b"a"))
    await server.ask("GET", "/")
    await asyncio.sleep(100)
    assert server.receives == 0


async def test_an_error_becomes_its_reply() -> None:
    error = ProxyError(ErrorKind.RATE_LIMITED, "slow down", headers={"x-why": "1"})
    answer = await serve(error).ask("GET", "/")
    assert (answer.status, answer.body, answer.headers["x-why"]) == (429, b"rate_limit_exceeded", "1")


async def test_a_bug_becomes_a_reply_too() -> None:
    server = serve(KeyError("x"))
    assert (await server.ask("GET", "/")).status == 500
    assert isinstance(server.errors[0], KeyError)


async def test_a_stream_is_sent_piece_by_piece() -> None:
    server = serve(Parts(b"a", b"b"))
    answer = await server.ask("GET", "/")
    assert (answer.status, answer.body) == (200, b"ab")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-own"] == "1"
    assert "content-length" not in answer.headers
    assert [message["body"] for message in server.messages[1:]] == [b"a", b"b", b""]


async def test_an_error_before_a_stream_begins_is_an_ordinary_one() -> None:
    answer = await serve(Parts(ProxyError(ErrorKind.OVERLOADED, "busy"), started=False)).ask("GET", "/")
    assert (answer.status, answer.body) == (503, b"overloaded")


@pytest.mark.parametrize("error", [KeyError("x"), ProxyError(ErrorKind.OVERLOADED, "busy")])
async def test_an_error_after_it_began_cuts_the_connection_and_is_told_to_the_log(error: Exception) -> None:
    server = serve(Parts(b"a", error))
    with pytest.raises(type(error)):
        await server.ask("GET", "/")
    assert [message.get("body") for message in server.messages] == [None, b"a"]
    assert server.errors == [error]


async def test_the_life_of_the_process_is_passed_on() -> None:
    happened = []

    async def begin() -> None:
        happened.append("begin")

    async def end() -> None:
        happened.append("end")

    told = await Server(ROUTES, startup=begin, shutdown=end).lifespan("startup", "shutdown")
    assert happened == ["begin", "end"]
    assert [message["type"] for message in told] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_without_handlers_of_it_the_life_goes_on_as_well(server: Server) -> None:
    assert len(await server.lifespan("startup", "shutdown")) == 2


async def test_a_start_that_fails_is_told_to_the_server() -> None:
    async def begin() -> None:
        raise OSError("no disk")

    (told,) = await Server(ROUTES, startup=begin).lifespan("startup")
    assert told == {"type": "lifespan.startup.failed", "message": "no disk"}


async def test_what_is_no_http_is_not_answered(server: Server) -> None:
    await server.app({"type": "websocket"}, None, None)  # type: ignore[arg-type]


def test_robyn_sees_no_arguments_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["fastproxy", "--help", "--log-level", "debug"])
    create_robyn(__file__)
