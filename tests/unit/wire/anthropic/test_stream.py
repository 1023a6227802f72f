"""The stream: the same events however it is cut, and every break is told."""

from __future__ import annotations

import itertools
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.anthropic.errors import Source
from fastproxy.wire.anthropic.stream import MessagesTranslator
from fastproxy.wire.events import (
    Annotations,
    Carry,
    Delta,
    Event,
    Fault,
    Finish,
    Reasoning,
    Refusal,
    ToolDelta,
    Usage,
)

RAW = (Path(__file__).parents[3] / "golden" / "anthropic" / "stream_thinking_and_tools.sse").read_bytes()
TOOLS = tuple({"type": "function", "function": {"name": name}} for name in ("fs.read", "list"))
CHAT = ChatRequest("claude", (), stream=True, tools=TOOLS)
THOUGHTS = [
    {"type": "thinking", "thinking": "Let me see … 🙂", "signature": "c2lnbmF0dXJl"},
    {"type": "redacted_thinking", "data": "ZW5jcnlwdGVk"},
]
CITATION = {"url": "https://example.com", "title": "Example", "start_index": 0, "end_index": 13}
EVENTS = [
    Reasoning("Let me "),
    Reasoning("see … 🙂"),
    Delta("Reading\u2028both."),
    Annotations(({"type": "url_citation", "url_citation": CITATION},)),
    ToolDelta(0, id="toolu_1", name="fs.read"),
    ToolDelta(0, '{"path":'),
    ToolDelta(0, '"é.txt"}'),
    ToolDelta(1, id="toolu_2", name="list"),
    ToolDelta(1, "{}"),
    Carry("anthropic.thinking", "toolu_1", THOUGHTS),
    Finish("tool_calls", native="tool_use"),
    Usage(132, 45, 177, cached_tokens=100, cache_write_tokens=20, reasoning_tokens=30),
]


def translate(*pieces: bytes, request: ChatRequest = CHAT) -> list[Event]:
    translator = MessagesTranslator(request, Source("Anthropic", "check the key"))
    return [event for piece in pieces for event in translator.feed(piece)] + translator.finish()


def sse(*payloads: Json) -> bytes:
    return b"".join(b"event: x\ndata: " + orjson.dumps(payload) + b"\n\n" for payload in payloads)


def said(text: str) -> Json:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def stopped(reason: str | None, **usage: int) -> Json:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


STOP = {"type": "message_stop"}
START = {"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}}


def fault_of(events: list[Event]) -> UpstreamError:
    assert isinstance(events[-1], Fault)
    assert not any(isinstance(event, Fault) for event in events[:-1])
    return events[-1].error


def test_a_golden_stream() -> None:
    assert translate(RAW) == EVENTS


@given(st.lists(st.integers(0, len(RAW)), max_size=12), st.booleans())
def test_any_cut_gives_the_same_events(cuts: list[int], crlf: bool) -> None:
    raw = RAW.replace(b"\n", b"\r\n") if crlf else RAW
    edges = [0, *sorted(cuts), len(raw)]
    assert translate(*(raw[a:b] for a, b in itertools.pairwise(edges))) == EVENTS


def test_a_last_event_without_its_empty_line_counts() -> None:
    assert translate(RAW.rstrip()) == EVENTS


def test_single_bytes_give_the_same_events() -> None:
    assert translate(*(bytes([byte]) for byte in RAW)) == EVENTS


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_any_bytes_end_in_one_fault(pieces: list[bytes]) -> None:
    fault_of(translate(*pieces))


NAMES = (
    *("type", "index", "delta", "content_block", "message", "usage", "text", "thinking", "signature"),
    *("partial_json", "stop_reason", "error", "id", "name", "input", "citations", "citation", "url"),
    *("input_tokens", "stop_details", "explanation"),
)
WORDS = (
    *("text", "tool_use", "thinking", "redacted_thinking", "text_delta", "input_json_delta"),
    *("thinking_delta", "signature_delta", "citations_delta", "end_turn", "refusal", "overloaded_error"),
)
KINDS = (
    *("message_start", "content_block_start", "content_block_delta", "content_block_stop"),
    *("message_delta", "message_stop", "error", "ping"),
)
scalars = st.none() | st.booleans() | st.integers(-1, 3) | st.text(max_size=3)
names = st.sampled_from(NAMES)
words = st.sampled_from(WORDS)
values = st.recursive(
    scalars | words, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=4)
)
kinds = st.sampled_from(KINDS)
payloads = st.builds(
    lambda kind, fields: {**fields, "type": kind}, kinds, st.dictionaries(names, values, max_size=5)
)


@given(st.lists(payloads, max_size=8))
def test_any_json_in_any_order_keeps_the_rules_of_events(stream: list[Json]) -> None:
    events = translate(sse(*stream))
    order = [type(event) for event in events]
    assert order.count(Finish) <= 1
    assert order.count(Fault) <= 1
    assert order.count(Usage) <= 1
    assert Fault not in order[:-1]
    assert Finish in order or Fault in order
    seen = [event.index for event in events if isinstance(event, ToolDelta) and event.id is not None]
    assert seen == list(range(len(seen)))
    if Finish in order:
        told = {event.index for event in events if isinstance(event, ToolDelta) and event.arguments}
        assert told == set(seen)


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("tool_use", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("a_reason_of_next_year", "stop"),
    ],
)
def test_stop_reasons(native: str, reason: str) -> None:
    assert Finish(reason, native=native) in translate(sse(START, said("a"), stopped(native), STOP))


def test_a_refusal_tells_its_explanation() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "No."}
    end = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details}}
    assert translate(sse(START, end, STOP))[:2] == [
        Refusal("No."),
        Finish("content_filter", native="refusal"),
    ]


def test_calls_cut_off_by_the_limit_are_a_length() -> None:
    begun = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "t", "name": "f"},
    }
    events = translate(sse(START, begun, stopped("max_tokens"), STOP))
    assert events[:3] == [
        ToolDelta(0, id="t", name="f"),
        ToolDelta(0, "{}"),
        Finish("length", native="max_tokens"),
    ]


def test_the_last_count_wins_and_nulls_say_nothing() -> None:
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": None, "output_tokens": 9},
    }
    assert translate(sse(START, said("a"), end, STOP))[-1] == Usage(3, 9, 12)


def test_usage_is_never_invented() -> None:
    events = translate(sse(said("a"), stopped("end_turn"), STOP))
    assert events == [Delta("a"), Finish("stop", native="end_turn")]


def test_a_stream_that_ends_after_its_stop_reason_is_whole() -> None:
    assert translate(sse(START, said("a"), stopped("end_turn", output_tokens=2)))[-1] == Usage(3, 2, 5)


def test_a_stream_that_ends_early_is_broken() -> None:
    error = fault_of(translate(sse(START, said("a"))))
    assert error.kind is ErrorKind.BAD_RESPONSE
    assert "middle of the answer" in error.message


def test_an_empty_stream_is_broken() -> None:
    fault_of(translate())


def test_an_error_in_the_stream_is_told_with_its_kind() -> None:
    broken = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    events = translate(sse(START, said("a"), broken, said("b"), STOP))
    assert events[0] == Delta("a")
    error = fault_of(events)
    assert (error.kind, error.message) == (ErrorKind.OVERLOADED, "Anthropic: Overloaded")


def test_an_error_without_a_type_or_a_text_is_told() -> None:
    assert fault_of(translate(sse({"error": {"message": "boom"}}))).message == "Anthropic: boom"
    assert "without a message" in fault_of(translate(sse({"error": None}))).message


def test_what_comes_after_the_stop_reason_is_passed_over() -> None:
    late = {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "late"}}
    events = translate(
        sse(START, said("a"), stopped("end_turn"), late, said("b"), stopped("max_tokens"), STOP)
    )
    assert events == [Delta("a"), Finish("stop", native="end_turn"), Usage(3, 1, 4)]


def test_events_that_are_no_objects_are_passed_over() -> None:
    assert translate(b"data: 5\n\n" + sse({**said("x"), "delta": 5}, said("a")))[0] == Delta("a")


def test_nothing_is_read_after_the_end() -> None:
    translator = MessagesTranslator(CHAT, Source("Anthropic", ""))
    assert translator.feed(sse(START, said("a"), stopped("end_turn"), STOP))
    assert translator.feed(sse(said("b"))) == translator.finish() == []


def test_stray_lines_that_are_no_error_do_not_hide_the_break() -> None:
    assert "middle" in fault_of(translate(b"hello\n", sse(START))).message


def test_an_error_as_bare_json_is_told() -> None:
    error = fault_of(
        translate(b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}\n')
    )
    assert error.kind is ErrorKind.RATE_LIMITED


def test_a_second_answer_in_the_same_stream_is_a_break() -> None:
    assert fault_of(translate(sse(START, said("a"), START, said("a"))))


def test_a_repeated_start_before_any_content_is_harmless() -> None:
    assert translate(sse(START, START, said("a"), stopped("end_turn"), STOP))[0] == Delta("a")


def test_openais_end_marker_is_passed_over() -> None:
    events = translate(sse(START, said("a"), stopped("end_turn")) + b"data: [DONE]\n\n")
    assert events == [Delta("a"), Finish("stop", native="end_turn"), Usage(3, 1, 4)]


def test_garbage_in_the_stream_is_a_break() -> None:
    assert "not JSON" in fault_of(translate(sse(START) + b"data: {broken\n\n")).message


def test_a_tool_whose_input_came_whole_is_told() -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    begun = {"type": "content_block_start", "index": 4, "content_block": block}
    events = translate(
        sse(START, begun, {"type": "content_block_stop", "index": 4}, stopped("tool_use"), STOP)
    )
    assert events[1] == ToolDelta(0, '{"a":1}')


def test_the_answer_tool_of_older_models_is_text() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    request = ChatRequest("claude", (), parameters={"response_format": wanted})
    block = {"type": "tool_use", "id": "t", "name": "_structured_answer", "input": {}}
    piece = {"type": "input_json_delta", "partial_json": '{"city":"Bern"}'}
    events = translate(
        sse(
            START,
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": piece},
            {"type": "content_block_stop", "index": 0},
            stopped("tool_use"),
            STOP,
        ),
        request=request,
    )
    assert events[:2] == [Delta('{"city":"Bern"}'), Finish("stop", native="tool_use")]
