"""What the way through the claude CLI costs: time added to the first token, and to each event after it.

Direct and proxied requests alternate against one mock of Anthropic's API, which waits UPSTREAM_MS before it
answers and ENDING_MS before it ends, as a model with more to say; a proxied request begins PAUSE_SECONDS
after the last one ended. With the real CLI nearly all of the time is its own. What is ours alone is measured
with the fake CLI: the way through proxy and bridge, less the same fake CLI, started and prepared as the
bridge does it, with nothing between it and the clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import orjson
import pytest

from bench.driven_cli import DrivenCli
from bench.figures import Figures
from bench.goals import Goal
from bench.http_bytes import http_request, post
from bench.overhead import Caller, p50_ms
from bench.suite import Suite
from bench.targets import API_KEY, DIRECT, EVERYTHING_ON, PROXY
from fastproxy.providers import PROVIDERS
from fastproxy.types import Deployment
from fastproxy.wire.surface import CHAT
from testkit.claude import ClaudeProxy, Cli, fake_cli, real_cli
from testkit.mock import SSE_HEADERS, MockUpstream

MODEL = "claude-sonnet"
PAUSE_SECONDS, UPSTREAM_MS, ENDING_MS = 0.6, 300.0, 50.0
ROUNDS, MORE_ROUNDS, FEWER_ROUNDS, WARM_UP_ROUNDS = 20, 50, 12, 4
"""Of what is ours alone more: a few milliseconds, by which single calls differ as well."""
EVENTS, EVENTS_PER_SECOND, EVENT_ROUNDS = 100, 50, 3
FIRST_TOKEN_MS, OURS_MS, EVENT_MS = 100.0, 5.0, 2.0
"""The most that may be added: P50 for a short prompt, warm; of it by us alone; to an event."""
DRIVEN = "fake CLI driven directly"
_SYSTEM = {"role": "system", "content": "You are a terse assistant. " * 10}
_SHORT: Figures = {"messages": [_SYSTEM, {"role": "user", "content": "Say hello."}]}
_TURNS = [
    {"role": role, "content": f"Words of turn {n}. " * 20}
    for n in range(10)
    for role in ("user", "assistant")
]
BODIES: Mapping[str, Figures] = {
    "short prompt": _SHORT,
    "history of 10 turns": {"messages": [_SYSTEM, *_TURNS, {"role": "user", "content": "And now?"}]},
    "sampling parameters": {**_SHORT, "model": "claude-sonnet-4-5", "temperature": 0.3, "stop": ["END"]},
}


@pytest.fixture
def upstream() -> Iterator[MockUpstream]:
    with MockUpstream() as mock:
        yield mock


@pytest.fixture
def real() -> Cli:
    return usable(real_cli())


@pytest.fixture
def fake() -> Cli:
    return usable(fake_cli())


def usable(cli: Cli) -> Cli:
    if cli.missing:
        pytest.skip(cli.missing)
    return cli


def asked(body: Figures) -> Figures:
    return {"model": MODEL, **body, "stream": True}


def messages_body(body: Figures, upstream: str) -> tuple[str, dict[str, str], bytes]:
    """What fastproxy sends for it: URL, headers, body."""
    request = CHAT.parse(asked(body))
    deployment = Deployment("claude", "claude", request.model, upstream)
    sent = PROVIDERS["claude"].build_request(replace(request, stream=True), deployment)
    return sent.url, dict(sent.headers), sent.body


@contextmanager
def callers(upstream: MockUpstream, proxy: ClaudeProxy, body: Figures) -> Iterator[dict[str, Caller]]:
    """A connection to the mock and one to the proxy, with the same question."""
    with (
        Caller(upstream.url, post(*messages_body(body, upstream.url))) as direct,
        Caller(proxy.url, http_request(proxy.url, asked(body), API_KEY)) as through,
    ):
        yield {DIRECT: direct, PROXY: through}


def answers_late(upstream: MockUpstream) -> None:
    """One piece of text after UPSTREAM_MS, and the end ENDING_MS later: what ends a process is no part of its
    first token. The text's time stamp is what a caller recognises that by."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "usage": {"input_tokens": 9, "output_tokens": 1},
    }
    stamp = {"type": "text_delta", "text": f"t={time.monotonic_ns():019d}"}
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    events: list[Figures] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": stamp},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]
    texts = [f"event: {event['type']}\ndata: {orjson.dumps(event).decode()}\n\n" for event in events]
    beginning, ending = "".join(texts[:3]), {"text": "".join(texts[3:]), "delay_ms": ENDING_MS}
    reply = {"chunks": [beginning, ending], "headers": SSE_HEADERS, "delay_before_ms": UPSTREAM_MS}
    upstream.script(reply, path="/messages")


def alternate(direct: Caller, others: Sequence[Callable[[], None]] = ()) -> Callable[[], None]:
    """What is done between two proxied calls. Each of the others' has before it what the proxied one has:
    a direct call, then silence up to the pause's end, so that all meet the same sleeping machine."""

    def pause() -> None:
        until = time.monotonic() + PAUSE_SECONDS
        direct.call()
        time.sleep(max(0.0, until - time.monotonic()))

    def between() -> None:
        for call in others:
            pause()
            call()
        pause()

    return between


def added(through: Sequence[float], base: Sequence[float]) -> Figures:
    """The P50 of what is added, and its P90, in milliseconds."""
    differences = sorted((value - p50_ms(base) / 1000) * 1000 for value in through)
    return {
        "P50": p50_ms(through) - p50_ms(base),
        "P90": differences[int(len(differences) * 0.9)],
        "count": len(through),
    }


def first_tokens(
    upstream: MockUpstream, proxy: ClaudeProxy, body: Figures, rounds: int = FEWER_ROUNDS
) -> Figures:
    """What is added to the first token of this body."""
    with callers(upstream, proxy, body) as both:
        between = alternate(both[DIRECT])
        for _ in range(WARM_UP_ROUNDS + rounds):
            between()
            both[PROXY].call()
        return added(*(both[name].first_event_seconds[WARM_UP_ROUNDS:] for name in (PROXY, DIRECT)))


def events(upstream: MockUpstream, proxy: ClaudeProxy) -> Figures:
    """What is added to each event of a paced stream."""
    upstream.reset()
    body = {**_SHORT, "model": f"{MODEL}-4-5-bench-n{EVENTS}-r{EVENTS_PER_SECOND}"}
    with callers(upstream, proxy, body) as both:
        for _ in range(1 + EVENT_ROUNDS):
            for caller in both.values():
                caller.call()
                proxy.wait_until_warm()
        assert {len(caller.delays) for caller in both.values()} == {(1 + EVENT_ROUNDS) * EVENTS}
        return added(*(both[name].delays[EVENTS:] for name in (PROXY, DIRECT)))


def four_at_once(upstream: MockUpstream, proxy: ClaudeProxy) -> Figures:
    """What is added where four ask at the same moment, each of whom finds a process ready."""
    request = http_request(proxy.url, asked(_SHORT), API_KEY)
    with ExitStack() as stack:
        direct = stack.enter_context(Caller(upstream.url, post(*messages_body(_SHORT, upstream.url))))
        four = [stack.enter_context(Caller(proxy.url, request)) for _ in range(4)]
        for _ in range(4):
            direct.call()
            proxy.wait_until_warm()
            threads = [threading.Thread(target=caller.call) for caller in four]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        through = [seconds for caller in four for seconds in caller.first_event_seconds[1:]]
        return added(through, direct.first_event_seconds)


def tell(name: str, cli: str, figures: Figures, suite: Suite, goals: Sequence[Goal]) -> None:
    """Shows the figures, with the CLI and the bodies, and writes them to `bench/results/`."""
    sizes = {title: len(orjson.dumps(asked(body))) for title, body in BODIES.items()}
    lines = [f"added by the way through {cli}, ms (bodies, bytes: {sizes}):"]
    lines += [
        f"  {title}: P50 {added['P50']:.1f}, P90 {added['P90']:.1f} ({added['count']} times)"
        for title, added in figures.items()
    ]
    suite.report(name, lines, goals, {"cli": cli, "added": figures, "body_bytes": sizes, "bodies": BODIES})


def test_the_real_cli_adds_less_than_the_contract_to_the_first_token(
    suite: Suite, upstream: MockUpstream, real: Cli
) -> None:
    figures: Figures = {}
    suite.say("the way through the real CLI: about 90 s")
    with ClaudeProxy(real, upstream.url, EVERYTHING_ON) as proxy:
        version = proxy.bridge_health()["cli"]["version"]
        answers_late(upstream)
        with callers(upstream, proxy, _SHORT) as both:
            suite.benchmark.pedantic(  # type: ignore[no-untyped-call]
                both[PROXY].call,
                setup=alternate(both[DIRECT]),
                rounds=2 if suite.plan.quick else ROUNDS,
                warmup_rounds=WARM_UP_ROUNDS,
            )
            measured = [both[name].first_event_seconds[WARM_UP_ROUNDS:] for name in (PROXY, DIRECT)]
        figures["first token, short prompt"] = added(*measured)
        for title, body in list(BODIES.items())[1:]:
            figures[f"first token, {title}"] = first_tokens(upstream, proxy, body)
        figures["an event"] = events(upstream, proxy)
    answers_late(upstream)
    with ClaudeProxy(real, upstream.url, EVERYTHING_ON, pool_size=4) as proxy:
        figures["first token, four at once"] = four_at_once(upstream, proxy)
    with ClaudeProxy(real, upstream.url, EVERYTHING_ON, pool_size=0) as proxy:
        figures["first token, cold"] = first_tokens(upstream, proxy, _SHORT, 4)
    goals = [
        _goal(
            "Claude by its CLI: first token", figures["first token, short prompt"], FIRST_TOKEN_MS, "contract"
        ),
        _goal("Claude by its CLI: an event", figures["an event"], EVENT_MS),
    ]
    tell("overhead_bridge", f"claude CLI {version}", figures, suite, goals)
    assert figures["first token, short prompt"]["P50"] < FIRST_TOKEN_MS


def _goal(what: str, figures: Figures, bound: float, kind: str = "target") -> Goal:
    return Goal(f"{what}, P50 added, ms", [figures["P50"]], "<=", bound, kind)


def test_what_is_ours_alone_is_small(suite: Suite, upstream: MockUpstream, fake: Cli) -> None:
    suite.say("the way through the fake CLI: about 130 s")
    with (
        ClaudeProxy(fake, upstream.url, EVERYTHING_ON) as proxy,
        DrivenCli(fake, upstream.url, messages_body(_SHORT, upstream.url)[2]) as driven,
    ):
        answers_late(upstream)
        with callers(upstream, proxy, _SHORT) as both:
            suite.benchmark.pedantic(  # type: ignore[no-untyped-call]
                both[PROXY].call,
                setup=alternate(both[DIRECT], [driven.call]),
                rounds=2 if suite.plan.quick else MORE_ROUNDS,
                warmup_rounds=WARM_UP_ROUNDS,
            )
            through = both[PROXY].first_event_seconds[WARM_UP_ROUNDS:]
            direct = both[DIRECT].first_event_seconds[2 * WARM_UP_ROUNDS :]
        alone = driven.first_event_seconds[WARM_UP_ROUNDS:]
        figures = {
            "first token, all": added(through, direct),
            f"first token, {DRIVEN}": added(alone, direct),
            "first token, ours alone": added(through, alone),
            "an event": events(upstream, proxy),
        }
    goals = [
        _goal("proxy and bridge alone: first token", figures["first token, ours alone"], OURS_MS),
        _goal("proxy and bridge alone: an event", figures["an event"], EVENT_MS),
    ]
    tell("overhead_bridge_fake", "the fake CLI", figures, suite, goals)
    assert figures["first token, ours alone"]["P50"] < FIRST_TOKEN_MS
