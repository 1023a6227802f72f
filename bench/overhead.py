"""What a translated provider costs: time added to the same answer taken directly, and the translator's CPU.

The direct request is byte for byte the one that fastproxy sends. Calls alternate, so that both see the same
machine; what is far below its noise is measured as this process's CPU time instead, the best of some runs.
"""

from __future__ import annotations

import gc
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Self

import orjson

from bench.figures import Figures, difference_ms
from bench.goals import Goal
from bench.http_bytes import address, http_request, is_whole, post
from bench.suite import Suite
from bench.targets import API_KEY, DIRECT, PROXY
from fastproxy.providers import PROVIDERS
from fastproxy.types import ChatRequest, Deployment
from fastproxy.wire.answer import Head, RenderedStream
from fastproxy.wire.surface import CHAT
from testkit.formats import Format
from testkit.mock import MockUpstream
from testkit.proxy import FastproxyProcess

CONTRACT_MS = 50.0
UNARY_ROUNDS, STREAM_ROUNDS, WARM_UP_ROUNDS = 400, 40, 20
EVENTS, EVENTS_PER_SECOND = 20, 200
_STAMP = re.compile(rb"t=(\d{19})")
ABOUT_SECONDS = 15.0
CPU_RUNS, STREAM_EVENTS = 7, 1000
SMALL, LARGE, EVENT = "CPU of a 2 KB exchange, ms", "CPU of a 100 KB request, ms", "CPU of an event, µs"
GOALS = {SMALL: (1e3, 1.0), LARGE: (1e3, 5.0), EVENT: (1e6, 30.0)}
"""Title -> (what makes seconds its unit, the most that it should be)."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A provider that is measured."""

    deployment: Deployment
    """As the proxy makes it of `config`, but for `base_url` and the model."""
    wire: Format
    config: Callable[[str], str]
    """The mock's URL -> the configuration's tables."""
    files: Callable[[str], Mapping[str, str]] = lambda _upstream: {}

    def at(self, upstream: str) -> Deployment:
        return replace(self.deployment, base_url=upstream)


@dataclass(frozen=True, slots=True)
class Pair:
    """A provider, direct and behind fastproxy."""

    subject: Subject
    upstream: str
    proxy: str

    @contextmanager
    def callers(self, body: Figures) -> Iterator[dict[str, Caller]]:
        """A connection to each, with the same question."""
        request = replace(CHAT.parse(body), model=body["model"])
        deployment = replace(self.subject.at(self.upstream), model=request.model)
        sent = PROVIDERS[deployment.kind].build_request(request, deployment)
        with (
            Caller(self.upstream, post(sent.url, dict(sent.headers), sent.body)) as direct,
            Caller(self.proxy, http_request(self.proxy, body, API_KEY)) as proxy,
        ):
            yield {DIRECT: direct, PROXY: proxy}


@contextmanager
def running(subject: Subject) -> Iterator[Pair]:
    """The mock upstream and fastproxy before it."""
    with (
        MockUpstream() as mock,
        FastproxyProcess(subject.config(mock.url), files=subject.files(mock.url)) as proxy,
    ):
        yield Pair(subject, mock.url, proxy.url)


class Caller:
    """One keep-alive connection, one request at a time: how long answers take, and how late events come."""

    def __init__(self, url: str, request: bytes) -> None:
        self._request = request
        self._socket = socket.create_connection(address(url), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seconds: list[float] = []
        self.first_event_seconds: list[float] = []
        self.delays: list[float] = []
        """Seconds from the mock's sending of each event to its arrival."""

    def call(self) -> None:
        started = time.perf_counter()
        self._socket.sendall(self._request)
        received, seen, first = b"", 0, 0.0
        while not is_whole(received):
            received += self._socket.recv(65536)
            now = time.monotonic_ns()
            for stamp in _STAMP.finditer(received, seen):
                seen, first = stamp.end(), first or time.perf_counter()
                self.delays.append((now - int(stamp[1])) / 1e9)
        self.seconds.append(time.perf_counter() - started)
        if first:
            self.first_event_seconds.append(first - started)
        assert received.startswith(b"HTTP/1.1 200"), received

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def p50_ms(seconds: Sequence[float]) -> float:
    return median(seconds) * 1000


def measure(suite: Suite, pair: Pair) -> Figures:
    """Milliseconds that fastproxy adds to a small unary answer, and to the events of a paced stream."""
    model = pair.subject.deployment.model
    unary_rounds, stream_rounds = (20, 2) if suite.plan.quick else (UNARY_ROUNDS, STREAM_ROUNDS)
    with pair.callers(question(model)) as unary:
        suite.benchmark.pedantic(  # type: ignore[no-untyped-call]
            unary[PROXY].call, setup=unary[DIRECT].call, rounds=unary_rounds, warmup_rounds=WARM_UP_ROUNDS
        )
    paced = f"{model}-bench-n{EVENTS}-r{EVENTS_PER_SECOND}"
    with pair.callers(question(paced) | {"stream": True}) as streams:
        for _ in range(stream_rounds):
            for caller in streams.values():
                caller.call()
    assert {len(caller.delays) for caller in streams.values()} == {EVENTS * stream_rounds}
    return {
        "unary P50": _added(unary, "seconds"),
        "first event P50": _added(streams, "first_event_seconds"),
        "event delay P50": _added(streams, "delays"),
    }


def _added(callers: Mapping[str, Caller], figure: str) -> Figures:
    p50 = {name: p50_ms(getattr(caller, figure)) for name, caller in callers.items()}
    both = [getattr(callers[name], figure) for name in (PROXY, DIRECT)]
    return {**p50, "added": p50[PROXY] - p50[DIRECT], "of_the_difference": difference_ms(*both), "unit": "ms"}


def question(model: str) -> Figures:
    """A request of 2 KB: instructions, a turn and one tool."""
    tool = _tool(0)
    messages = [
        {"role": "system", "content": "Answer in one sentence. " * 40},
        {"role": "user", "content": "Say hello to the benchmark in a few words, please. " * 12},
    ]
    body: Figures = {"model": model, "messages": messages, "tools": [tool], "temperature": 0.5}
    assert 1_900 < len(orjson.dumps(body)) < 2_300
    return body


def conversation(model: str) -> Figures:
    """A request of 100 KB: thirty tools, and twenty turns with a call and its result each."""
    messages: list[Figures] = [{"role": "system", "content": "You edit programs. " * 200}]
    for turn in range(20):
        call = {"name": f"tool_{turn}", "arguments": orjson.dumps({"path": f"src/{turn}.py"}).decode()}
        calls = [{"id": f"call_{turn}", "type": "function", "function": call}]
        messages += [
            {"role": "user", "content": f"Look at file {turn}. " * 10},
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": f"call_{turn}", "content": "def answer() -> int: ...\n" * 130},
            {"role": "assistant", "content": "It holds one function. " * 10},
        ]
    messages.append({"role": "user", "content": "Go on."})
    body: Figures = {"model": model, "messages": messages, "tools": [_tool(n) for n in range(30)]}
    assert 90_000 < len(orjson.dumps(body)) < 110_000
    return body


def _tool(number: int) -> Figures:
    properties = {
        "path": {"type": "string", "description": "Where the file lies."},
        "mode": {"type": "string", "enum": ["read", "write"]},
        "range": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
    }
    parameters = {"type": "object", "properties": properties, "required": ["path"]}
    function = {"name": f"tool_{number}", "description": "Looks at a file.", "parameters": parameters}
    return {"type": "function", "function": function}


def cpu_seconds(subject: Subject) -> dict[str, list[float]]:
    """CPU seconds of the translation: of a small unary exchange, of a large request, of one stream event."""
    provider, deployment = PROVIDERS[subject.deployment.kind], subject.at("http://127.0.0.1:1")
    model = deployment.model
    small, large = orjson.dumps(question(model)), orjson.dumps(conversation(model))
    answer = orjson.dumps(subject.wire.unary(model, "words " * 20))
    template = subject.wire.stream(model, True)
    event = template.before_text + b"some" + template.after_text
    stream = [*template.opening, *([event] * STREAM_EVENTS), *template.closing]

    def outward(body: bytes) -> ChatRequest:
        request = CHAT.parse(orjson.loads(body))
        provider.build_request(request, deployment)
        return request

    def exchange() -> None:
        completion = provider.parse_response(outward(small), answer)
        CHAT.render_completion(completion, head, request)

    def streamed() -> None:
        rendered = RenderedStream(provider.translate_stream(request), CHAT.renderer(head, request))
        for data in stream:
            rendered.feed(data)
        rendered.end()
        assert rendered.fault is None

    head = Head("chatcmpl-0123456789abcdef01234567", 1_790_000_000, model)
    request = replace(outward(small), stream=True, include_usage=True)
    return {
        SMALL: _cpu_seconds(exchange, 100, 1),
        LARGE: _cpu_seconds(lambda: outward(large), 10, 1),
        EVENT: _cpu_seconds(streamed, 1, STREAM_EVENTS),
    }


def _cpu_seconds(work: Callable[[], object], times: int, parts: int) -> list[float]:
    """CPU seconds of one part of the work, in several runs."""
    work()
    gc.collect()
    gc.freeze()  # the collector would walk through the test's own objects at the translator's expense
    runs = []
    for _ in range(CPU_RUNS):
        started = time.process_time()
        for _ in range(times):
            work()
        runs.append((time.process_time() - started) / times / parts)
    gc.unfreeze()
    return runs


def check(name: str, suite: Suite, pair: Pair) -> None:
    """Measures, shows the figures with the goals, writes them to `bench/results/`, asserts the contract."""
    suite.say(f"{name}: about {ABOUT_SECONDS:.0f} s")
    added, cpu = measure(suite, pair), cpu_seconds(pair.subject)
    goals = [
        Goal(f"{name}: {title}", [min(cpu[title]) * scale], "<=", bound)
        for title, (scale, bound) in GOALS.items()
    ]
    goals += [
        Goal(f"{name}: {title} added, ms", [f["added"]], "<=", CONTRACT_MS, "contract")
        for title, f in added.items()
    ]
    lines = [_line(title, figures) for title, figures in added.items()]
    suite.report(f"overhead_{name}", lines, goals, {"added": added, "cpu_seconds": cpu})
    assert [title for title, figures in added.items() if figures["added"] >= CONTRACT_MS] == []


def _line(title: str, figures: Figures) -> str:
    difference = figures["of_the_difference"]
    return (
        f"{title}, ms: {DIRECT} {figures[DIRECT]:.3f}, {PROXY} {figures[PROXY]:.3f}, "
        f"added {figures['added']:.3f}; "
        f"of the difference P50 {difference['p50']:.3f}, P99 {difference['p99']:.3f}"
    )
