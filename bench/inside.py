"""The proxy without its sockets, in this process: what each of its steps costs in CPU time.

The same objects as in a running proxy, from the same configuration; only the way out is another: an upstream
that has its answer ready. What a step costs is far below the noise of a clock on the wall, so it is measured
as CPU time of this process, many times over, and the best of some runs counts.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
import tomllib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import redirect_stderr
from typing import Any

import orjson

from bench.http_bytes import PATH, headers_with
from bench.targets import API_KEY, proxy_config
from fastproxy.answers import whole
from fastproxy.app import App
from fastproxy.asgi import RobynAsgi
from fastproxy.body import load_json
from fastproxy.config import Settings
from fastproxy.exchange import Exchange, Policy
from fastproxy.http import HttpRequest, Reply
from fastproxy.observability.record import RequestRecord
from fastproxy.pipeline import Pipeline
from fastproxy.providers import PROVIDERS
from fastproxy.resilience.attempts import Attempts
from fastproxy.resilience.turns import Turns
from fastproxy.routes import robyn_app
from fastproxy.types import Deployment, Headers, UpstreamRequest
from fastproxy.wire.openai.passthrough import ChatPassthrough
from fastproxy.wire.surface import CHAT
from testkit.formats import OPENAI

RUNS, TIMES, EVENTS = 7, 300, 1000
MODEL = "bench-n1"
Work = Callable[[], Awaitable[object] | object]


class Ready:
    """An upstream that has its answer ready, and the answer itself."""

    def __init__(self) -> None:
        template = OPENAI.stream(MODEL, False)
        event = template.before_text + b"some" + template.after_text
        self.event = event
        self._whole = orjson.dumps(OPENAI.unary(MODEL, "words " * 20))
        self._stream = [
            b"".join(template.opening) + event,
            *([event] * (EVENTS - 1)),
            b"".join(template.closing),
        ]

    async def send(
        self,
        request: UpstreamRequest,
        deployment: Deployment,
        more_headers: Headers = (),
        *,
        stream: bool = False,
    ) -> ReadyResponse:
        """At once."""
        chunks = self._stream if stream else [self._whole]
        return ReadyResponse(chunks, "text/event-stream" if stream else "application/json")


class ReadyResponse:
    """Hands its chunks out one by one."""

    status = 200

    def __init__(self, chunks: list[bytes], content_type: str) -> None:
        self.headers: Mapping[str, str] = {"content-type": content_type}
        self._chunks = iter(chunks)

    async def read_chunk(self) -> bytes | None:
        """The next one; None at the end."""
        return next(self._chunks, None)

    async def read_all(self, limit: int) -> bytes:
        """All that are left."""
        return b"".join(self._chunks)

    async def aclose(self) -> None:
        """There is nothing to close."""


class Inside:
    """The proxy's objects, and one request to it."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        settings = Settings.model_validate(
            tomllib.loads(proxy_config("http://127.0.0.1:1")), context={"environment": {}}
        )
        off = {name: "not measured" for name in settings.providers if name != "mock"}
        self.app = app = App(settings, off)
        self.upstream = Ready()
        self.records: list[RequestRecord] = []
        self.attempts = Attempts(PROVIDERS, self.upstream, app.credentials, turns=Turns(app.breakers))
        app.pipeline = Pipeline(
            app.authenticator,
            app.router,
            app.continuity,
            self.attempts,
            self.records.append,
            Policy(),
            app.limits,
        )
        self.asgi = RobynAsgi(robyn_app(app), on_error=app.asgi.on_error, max_body_bytes=2**25)
        self.body = orjson.dumps(body)
        headers = {"host": "127.0.0.1:4000", **headers_with(API_KEY), "user-agent": "OpenAI/Python 3.54.0"}
        headers["content-length"] = str(len(self.body))
        self.request = HttpRequest("POST", PATH, headers, self.body, address="127.0.0.1", id="req_0")
        self._parsed = CHAT.parse(orjson.loads(self.body))
        self._caller = app.authenticator.identify(headers, "127.0.0.1")
        self._scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": PATH,
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 50_000),
        }

    async def through_asgi(self) -> None:
        """The whole request, from the server's call to its last `send`."""
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": self.body, "more_body": False}

        async def send(message: Any) -> None:
            if "status" in message:
                statuses.append(message["status"])

        await self.asgi(dict(self._scope), receive, send)
        assert statuses == [200], statuses

    async def through_pipeline(self) -> None:
        """Without the server's side of it; a stream goes to a sink that takes everything."""
        reply = await self.app.pipeline.answer(self.request, CHAT)
        if not isinstance(reply, Reply):
            await reply.run(_Sink())

    async def attempt(self) -> None:
        """The asking alone: its answer is taken as it is."""
        exchange = self._exchange()
        await self.attempts.first_success(
            exchange.route, exchange.request, exchange.record, _taken, exchange.check, (), exchange.build
        )

    async def answered(self) -> None:
        """The asking, and the answer made ready for the client."""
        await whole(self._exchange(), self.attempts, self.app.continuity.keep)

    def _exchange(self) -> Exchange:
        app, http = self.app, self.request
        request, route = self._parsed, app.router.resolve(MODEL)
        record = RequestRecord(http.id, http.method, http.path)
        return Exchange(CHAT, http, {}, request, route, self._caller, record, Policy(), ())

    def steps(self) -> dict[str, Work]:
        """The steps of a request of OpenAI's format to a provider of OpenAI's format, by themselves."""
        app, http, caller = self.app, self.request, self._caller
        assert app.limits is not None
        limits, route = app.limits, app.router.resolve(MODEL)
        deployment = route.deployments[0]

        async def parse() -> None:
            CHAT.parse(await load_json(http))

        return {
            "key: who asks": lambda: app.authenticator.identify(http.headers, http.address),
            "parse: JSON, and the request in it": parse,
            "route: which deployments": lambda: app.router.resolve(MODEL),
            "limits: a request and its tokens": lambda: limits.reserve(caller, http, route, None),
            "build: the provider's request": lambda: PROVIDERS["openai"].build_request(
                self._parsed, deployment
            ),
        }

    def tell(self) -> None:
        """Counts and writes all records so far, as the journal does after the answers."""
        records, self.records[:] = list(self.records), []
        for record in records:
            self.app.journal.add(record)
        self.app.journal.flush()

    def feed_events(self) -> None:
        """EVENTS events through the check that lets them pass."""
        stream = ChatPassthrough(CHAT.parse(orjson.loads(self.body)))
        for _ in range(EVENTS):
            stream.feed(self.upstream.event)


async def _taken(*_: object) -> None:
    """What an attempt makes of its answer: nothing."""


class _Sink:
    """Takes everything at once."""

    started = False

    async def start(self, headers: Headers, *, status: int = 200, content_type: str = "") -> None:
        self.started = True

    async def write(self, data: bytes) -> None:
        pass


def cpu_us(work: Work, times: int = TIMES, parts: int = 1, runs: int = RUNS) -> list[float]:
    """CPU microseconds of one part of the work, in each of some runs; log lines go to a file meanwhile."""

    async def repeat() -> None:
        for _ in range(times):
            done = work()
            if isinstance(done, Awaitable):
                await done

    async def measured() -> list[float]:
        await repeat()
        gc.collect()
        gc.freeze()  # the collector would walk through the tests' own objects at the proxy's expense
        series = []
        for _ in range(runs):
            started = time.process_time()
            await repeat()
            series.append((time.process_time() - started) * 1e6 / times / parts)
        gc.unfreeze()
        return series

    with tempfile.TemporaryFile("w+") as file, redirect_stderr(file):
        return asyncio.run(measured())
