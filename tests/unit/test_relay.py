"""One open stream on its way to the client."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from fastproxy import relay as relay_module
from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.providers.openai import OPENAI
from fastproxy.relay import Relay
from fastproxy.resilience.deadline import Watchdog
from fastproxy.types import ChatRequest, Deployment, Timeouts
from fastproxy.wire.answer import AnswerStream, RenderedStream
from fastproxy.wire.events import Carry, Delta, Event, Fault, Finish
from fastproxy.wire.openai.chat_render import ChatRenderer
from tests.fakes import FakeResponse, FakeSink, Step
from tests.fastclock import fast, now

PLACE = Deployment("box", "openai", "m", "https://x", timeouts=Timeouts(first_token=60, idle=20, total=1800))
CHAT = ChatRequest("m", ({"role": "user", "content": "hi"},), stream=True)


def chunk(delta: str, finish: str = "null") -> bytes:
    return (
        b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
        b'"choices":[{"index":0,"delta":{%b},"finish_reason":%b}]}\n\n' % (delta.encode(), finish.encode())
    )


ROLE = chunk('"role":"assistant","content":""')
HEL, LO = chunk('"content":"Hel"'), chunk('"content":"lo"')
STOP = chunk("", '"stop"')
DONE = b"data: [DONE]\n\n"
PING = b": keep-alive\n\n"
RESET = UpstreamError(ErrorKind.CONNECTION_FAILED, "box broke the connection.")


class Line:
    """A relay between a script and a sink."""

    def __init__(self, *script: Step, stream: AnswerStream | None = None) -> None:
        self.source = FakeResponse(*script)
        self.sink = FakeSink(started=True)
        self.kept: list[tuple[list[Carry], bytes]] = []
        """What was remembered, and what the client had seen by then."""
        assert OPENAI.native_stream is not None
        self.watchdog = Watchdog(PLACE, stream=True)
        self.relay = Relay(
            self.source, stream or OPENAI.native_stream(CHAT), self.watchdog, PLACE, self._keep
        )

    async def _keep(self, carries: Sequence[Carry]) -> None:
        self.kept.append((list(carries), self.sink.body))

    async def first(self) -> None:
        with self.watchdog:
            await self.relay.first()

    async def run(self) -> bytes:
        await self.first()
        await self.relay.pump(self.sink)
        return self.sink.body

    async def refusal(self) -> UpstreamError:
        with pytest.raises(UpstreamError) as caught:
            await self.first()
        assert self.sink.writes == []
        return caught.value


class Dictated:
    """A translator that says one event a byte, by a table; it faults at an unknown byte."""

    def __init__(self, table: dict[bytes, list[Event]]) -> None:
        self._table = table

    def feed(self, data: bytes) -> list[Event]:
        if data not in self._table:
            raise UpstreamError(ErrorKind.BAD_RESPONSE, "garbage")
        return self._table[data]

    def finish(self) -> list[Event]:
        return []


def dictated(table: dict[bytes, list[Event]]) -> RenderedStream:
    return RenderedStream(Dictated(table), ChatRenderer("c", 1, "m", False))


async def test_an_answer_passes_whole() -> None:
    line = Line(ROLE, HEL, LO, STOP, DONE)
    body = await line.run()
    assert b"Hel" in body
    assert body.endswith(DONE)
    assert line.relay.bytes_out == len(body)
    assert line.relay.stream.finish == "stop"


async def test_a_role_is_no_content_and_is_held_until_there_is_some() -> None:
    line = Line(PING, ROLE, HEL, LO, STOP, DONE)
    await line.first()
    assert line.source.unread == 3
    assert line.sink.writes == []
    await line.relay.pump(line.sink)
    assert line.sink.writes[0] == ROLE + HEL


async def test_an_answer_that_is_over_at_its_first_content_is_sent_whole() -> None:
    everything = ROLE + HEL + STOP + DONE
    assert await Line(everything).run() == everything


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ((ROLE, RESET), ErrorKind.CONNECTION_FAILED),
        ((RESET,), ErrorKind.CONNECTION_FAILED),
        ((), ErrorKind.BAD_RESPONSE),
        ((PING, ROLE), ErrorKind.BAD_RESPONSE),
        ((b'data: {"error":{"message":"busy","code":503}}\n\n',), ErrorKind.OVERLOADED),
        ((ROLE, b"data: {not json}\n\n"), ErrorKind.BAD_RESPONSE),
    ],
)
async def test_a_fault_before_the_first_content_is_an_exception_and_nothing_is_sent(
    script: tuple[Step, ...], kind: ErrorKind
) -> None:
    assert (await Line(*script).refusal()).kind is kind


async def test_a_fault_in_one_piece_with_the_first_content_is_one_too() -> None:
    line = Line(HEL + b'data: {"error":{"message":"busy","code":503}}\n\n')
    assert (await line.refusal()).kind is ErrorKind.OVERLOADED


async def test_an_end_without_content_that_the_translator_takes_for_one_is_a_fault() -> None:
    error = await Line(b"a", stream=dictated({b"a": []})).refusal()
    assert error.kind is ErrorKind.BAD_RESPONSE
    assert "box ended its stream without an answer" in error.message


async def test_much_without_content_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "MAX_HELD_BYTES", 3 * len(ROLE))
    error = await Line(*[ROLE] * 10).refusal()
    assert error.kind is ErrorKind.BAD_RESPONSE
    assert "box" in error.message


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ((RESET,), b"connection_failed"),
        ((), b"bad_response"),
        ((b'data: {"error":{"message":"busy","code":503}}\n\n', LO), b"overloaded"),
        ((LO, b"data: {not json}\n\n", LO), b"bad_response"),
    ],
)
async def test_a_fault_after_it_ends_the_stream_with_an_error_and_no_done(
    script: tuple[Step, ...], code: bytes
) -> None:
    line = Line(ROLE, HEL, *script)
    body = await line.run()
    last = body.rstrip().rpartition(b"\n\n")[2]
    assert last.startswith(b'data: {"error":')
    assert b'"code":"%b"' % code in last
    assert b"[DONE]" not in body
    assert body.count(b'"error"') == 1
    assert body.endswith(b"\n\n")
    assert line.relay.stream.fault is not None


async def test_bytes_that_no_translator_understands_are_a_fault_as_well() -> None:
    line = Line(b"a", b"?", b"a", stream=dictated({b"a": [Delta("x")]}))
    body = await line.run()
    assert b"garbage" in body
    assert b"[DONE]" not in body
    assert line.source.unread == 1


async def test_what_must_be_remembered_is_kept_before_the_client_sees_it() -> None:
    early, late = Carry("gemini.signature", "a", "x"), Carry("gemini.signature", "b", "y")
    table: dict[bytes, list[Event]] = {
        b"a": [early, Delta("first")],
        b"b": [late, Delta("second")],
        b"c": [Finish("stop")],
    }
    line = Line(b"a", b"b", b"c", stream=dictated(table))
    body = await line.run()
    assert [carries for carries, _ in line.kept] == [[early], [late]]
    assert [b"second" in seen for _, seen in line.kept] == [False, False]
    assert line.kept[0][1] == b""
    assert b"second" in body
    assert line.relay.stream.carries == []


@fast
async def test_the_wait_for_the_first_content_is_guarded() -> None:
    error = await Line(ROLE, *[7.0, PING] * 20).refusal()
    assert (error.kind, now()) == (ErrorKind.FIRST_TOKEN_TIMEOUT, 60)


@fast
async def test_silence_in_the_middle_ends_the_stream_with_an_error() -> None:
    line = Line(ROLE, HEL, 50.0, LO)
    body = await line.run()
    assert now() == 20
    assert b"idle_timeout" in body
    assert b"[DONE]" not in body
    assert line.relay.stream.fault is not None


@fast
async def test_keep_alives_of_the_provider_feed_the_idle_timeout() -> None:
    line = Line(ROLE, HEL, *[19.0, PING] * 5, LO, STOP, DONE)
    assert (await line.run()).endswith(DONE)
    assert now() == 95


@fast
async def test_a_client_that_reads_slowly_does_not_trip_the_idle_timeout_and_stops_our_reading() -> None:
    line = Line(ROLE, HEL, LO, STOP, DONE)
    await line.first()
    line.sink.room.clear()
    pump = asyncio.create_task(line.relay.pump(line.sink))
    await asyncio.sleep(500)
    assert line.source.unread == 3
    line.sink.room.set()
    await pump
    assert line.sink.body.endswith(DONE)


@fast
async def test_a_client_that_never_reads_ends_with_the_total_time() -> None:
    line = Line(ROLE, HEL, LO, STOP, DONE)
    await line.first()
    line.sink.room.clear()
    pump = asyncio.create_task(line.relay.pump(line.sink))
    await asyncio.sleep(1801)
    assert line.source.closed == 1
    pump.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pump


@fast
async def test_an_error_is_told_once_even_if_the_total_time_ends_while_it_is() -> None:
    line = Line(ROLE, HEL, RESET, stream=dictated({ROLE: [Delta("x")], HEL: [Fault(RESET)]}))
    await line.first()
    line.sink.room.clear()
    line.sink.writes_before_it_is_full = 1
    pump = asyncio.create_task(line.relay.pump(line.sink))
    await pump
    assert line.relay.stream.fault is RESET
    assert line.source.closed == 1
    assert now() == 1800


@fast
async def test_an_endless_answer_ends_with_the_total_time() -> None:
    line = Line(ROLE, HEL, *[10.0, LO] * 1000)
    body = await line.run()
    assert now() == 1800
    assert b"total_timeout" in body


@fast
async def test_a_client_that_leaves_ends_the_pump_at_once() -> None:
    line = Line(ROLE, HEL, 10_000.0)
    await line.first()
    pump = asyncio.create_task(line.relay.pump(line.sink))
    await asyncio.sleep(1)
    pump.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pump
    assert line.sink.body == ROLE + HEL


@fast
async def test_the_time_waited_for_the_first_content_is_known() -> None:
    line = Line(ROLE, HEL, STOP, DONE)
    await line.run()
    assert 0 < line.relay.waited_seconds < 1


async def test_closing_it_closes_the_response() -> None:
    line = Line(HEL)
    await line.relay.aclose()
    assert line.source.closed == 1
    assert repr(line.relay) == "<Relay box bytes_out=0 fault=None>"
