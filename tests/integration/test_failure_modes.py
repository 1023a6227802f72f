"""Every cell of the table of failure modes, played against real sockets.

All cells are played at once, each with a model of its own: three requests, to see what the client gets, what
the breaker counts, and who answers where there is a fallback. Then every cell has its test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from testkit.claude import ClaudeProxy, fake_cli
from testkit.failure_modes import cells
from testkit.failure_places import PROVIDERS
from testkit.faults import BEFORE, EARLY, HEARTBEAT, MIDSTREAM, UNARY, Effect, Fault
from testkit.mock import MockUpstream
from testkit.process import free_port
from testkit.proxy import FastproxyProcess

AT_ONCE = 12
CARE = "max_retries = 1\nbreaker_failure_threshold = 2\nbreaker_recovery_seconds = 600\n"
"""A retried fault opens the circuit with one request, any other that counts with two."""
SERVER = """
[server]
log_format = "json"
heartbeat_seconds = {heartbeat}
[providers.good]
kind = "openai"
base_url = "{url}/v1"
prefix = "good-"
"""
ROUTE = '[[routes]]\nmatch = "{prefix}fb-*"\nprovider = "{name}"\nfallback = ["good-m"]\n'
HEARTBEATS = {False: 30.0, True: 0.05}
"""In seconds, by whether they come early."""
CELLS = {f"{fault.provider}-{fault.name}-{phase}": (fault, phase, effect) for fault, phase, effect in cells()}


@dataclass
class Answer:
    """What a client got, and the line that was logged of it."""

    status: int
    headers: httpx.Headers
    body: bytes
    log: dict[str, Any]


@dataclass
class Played:
    first: Answer
    asked: int
    """Requests that the upstream saw of the first."""
    circuit: str | None
    with_fallback: Answer


def config(url: str, plain_port: int, heartbeat: float) -> str:
    places = {name: place for name, place in PROVIDERS.items() if not place.is_cli}
    tables = [
        place.config.replace("{url}", url).replace("{plain_port}", str(plain_port)) + CARE
        for place in places.values()
    ]
    routes = [ROUTE.format(prefix=place.prefix, name=name) for name, place in places.items()]
    return "".join([SERVER.format(url=url, heartbeat=heartbeat), *tables, *routes])


def bridged(url: str, heartbeat: float) -> ClaudeProxy:
    place = PROVIDERS["claude"]
    text = SERVER.format(url=url, heartbeat=heartbeat) + ROUTE.format(prefix=place.prefix, name="claude")
    return ClaudeProxy(fake_cli(), url, text, place.config + CARE)


def script(mock: MockUpstream, fault: Fault, phase: str, model: str) -> None:
    if not fault.reply:
        return
    reply: dict[str, Any] = dict(fault.reply)
    if phase == HEARTBEAT:
        reply["delay_before_ms"] = 150
    if phase == MIDSTREAM:
        template = PROVIDERS[fault.provider].wire.stream(model, False)
        content = template.before_text + b"word" + template.after_text
        began = [piece.decode() for piece in (*template.opening, content)]
        reply |= {"chunks": [*began, *reply["chunks"]], "headers": {"content-type": template.content_type}}
    mock.script(reply, model=upstream_name(fault, model))


def upstream_name(fault: Fault, model: str) -> str:
    place = PROVIDERS[fault.provider]
    return model.removeprefix(place.prefix) if place.prefix not in ("gemini-", "claude-") else model


class Stage:
    """Two proxies, one of them with early heartbeats, and what they logged; two more with the claude CLI."""

    def __init__(self, mock: MockUpstream, proxies: Mapping[tuple[bool, bool], FastproxyProcess]) -> None:
        """`proxies` by whether their provider is a CLI, and whether their heart beats early."""
        self.mock, self._proxies = mock, proxies
        self._room = asyncio.Semaphore(AT_ONCE)
        self._client = httpx.AsyncClient(timeout=30, trust_env=False)

    async def play_all(self) -> dict[str, Played]:
        async with self._client:
            played = {name: cell for name, cell in CELLS.items() if self._of(*cell)}
            answers = await asyncio.gather(*(self._play(*cell, name) for name, cell in played.items()))
        return dict(zip(played, answers, strict=True))

    def _of(self, fault: Fault, phase: str, _effect: Effect) -> FastproxyProcess | None:
        return self._proxies.get((PROVIDERS[fault.provider].is_cli, phase == HEARTBEAT))

    async def _play(self, fault: Fault, phase: str, effect: Effect, name: str) -> Played:
        prefix = PROVIDERS[fault.provider].prefix
        model, fallback = f"{prefix}{name}", f"{prefix}fb-{name}"
        proxy = self._of(fault, phase, effect)
        assert proxy is not None
        for one in (model, fallback):
            script(self.mock, fault, phase, one)
        async with self._room:
            first = await self._ask(proxy, model, phase, f"{name}/1")
            upstream = upstream_name(fault, model)
            asked = sum(names(seen, upstream) for seen in self.mock.requests())
            await self._ask(proxy, model, phase, f"{name}/2")
            health = (await self._client.get(f"{proxy.url}/health")).json()["providers"][fault.provider]
            with_fallback = await self._ask(proxy, fallback, phase, f"{name}/3")
        circuit = health.get("circuits", {}).get(upstream)
        return Played(first, asked, circuit, with_fallback)

    async def _ask(self, proxy: FastproxyProcess, model: str, phase: str, request_id: str) -> Answer:
        body = {"model": model, "stream": phase != UNARY, "messages": [{"role": "user", "content": "hello"}]}
        headers = {"x-request-id": request_id}
        answer = await self._client.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers)
        for _ in range(100):
            lines = proxy.output().splitlines(keepends=True)
            logged = [line for line in lines if f'"{request_id}"' in line and line.endswith("\n")]
            if logged:
                break
            await asyncio.sleep(0.02)  # it is told soon, not at once
        return Answer(answer.status_code, answer.headers, answer.content, orjson.loads(logged[0]))


def names(request: Any, model: str) -> bool:
    return f'"{model}"'.encode() in request.body or f"/{model}:" in request.path


async def know_no_tls(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.fixture(scope="module")
def played(mock_process: MockUpstream) -> Iterator[dict[str, Played]]:
    mock_process.reset()
    plain_port = free_port()
    url = mock_process.url
    with ExitStack() as stack:
        proxies = {
            (False, early): stack.enter_context(FastproxyProcess(config(url, plain_port, heartbeat)))
            for early, heartbeat in HEARTBEATS.items()
        }
        if not fake_cli().missing:
            proxies |= {
                (True, early): stack.enter_context(bridged(url, heartbeat))
                for early, heartbeat in HEARTBEATS.items()
            }

        async def play() -> dict[str, Played]:
            async with await asyncio.start_server(know_no_tls, "127.0.0.1", plain_port):
                return await Stage(mock_process, proxies).play_all()

        yield asyncio.run(play())


def error_in(answer: Answer, phase: str) -> dict[str, Any]:
    if phase in (UNARY, BEFORE):
        return dict(orjson.loads(answer.body)["error"])
    assert b"[DONE]" not in answer.body
    last = answer.body.rstrip().rpartition(b"data: ")[2]
    return dict(orjson.loads(last)["error"])


def check(answer: Answer, phase: str, effect: Effect) -> None:
    """The client got this error, in the form of this phase, and it was logged."""
    assert error_in(answer, phase)["code"] == effect.code
    assert answer.status == (effect.status if phase in (UNARY, BEFORE) else 200)
    if phase == HEARTBEAT:
        assert answer.body.startswith(b": ping\n")
    if phase == MIDSTREAM:
        assert b"word" in answer.body
        assert answer.log["bytes_out"] == len(answer.body)
    assert answer.log["error_code"] == effect.code
    assert answer.log["status"] == (200 if phase == MIDSTREAM else effect.status)


def test_the_table_is_large_enough_to_be_believed() -> None:
    assert len(CELLS) >= 120


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", CELLS)
def test_a_fault_has_the_effect_that_the_table_tells(played: dict[str, Played], name: str) -> None:
    fault, phase, effect = CELLS[name]
    if name not in played:
        pytest.skip(fake_cli().missing)
    seen = played[name]
    check(seen.first, phase, effect)
    if effect.retry_after and phase != HEARTBEAT:
        assert seen.first.headers["retry-after"] == effect.retry_after
    attempts = 2 if effect.retried else 1
    if fault.reply:
        assert seen.asked == attempts
    failed = seen.first.log.get("failed_attempts", [])
    assert failed == ([f"{fault.provider} {effect.code}"] * attempts if phase in EARLY else [])
    assert seen.circuit == ("open" if effect.counted else None)
    if effect.falls_back:
        check_good(seen.with_fallback, phase)
    else:
        check(seen.with_fallback, phase, effect)


def check_good(answer: Answer, phase: str) -> None:
    assert answer.status == 200
    assert answer.log["provider"] == "good"
    assert "error_code" not in answer.log
    if phase == HEARTBEAT:
        assert b": x-fastproxy-provider: good; x-fastproxy-model: m; x-fastproxy-attempts: " in answer.body
    else:
        assert answer.headers["x-fastproxy-provider"] == "good"
        assert int(answer.headers["x-fastproxy-attempts"]) >= 2
    if phase == UNARY:
        assert orjson.loads(answer.body)["choices"][0]["message"]["content"]
    else:
        assert answer.body.endswith(b"data: [DONE]\n\n")
