"""Streamed answers of Gemini, against golden pairs, however the bytes are cut."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import ChatRequest
from fastproxy.wire.events import Carry, Delta, Event, Fault, Finish, Reasoning, ToolDelta, Usage, complete
from fastproxy.wire.gemini.stream import translate_stream

GOLDEN = Path(__file__).parents[3] / "golden" / "gemini" / "streams.json"
STREAMS = orjson.loads(GOLDEN.read_bytes())
MADE_ID = re.compile(r"call_[0-9a-f]{24}")
REQUEST = ChatRequest("m", (), stream=True)


def sse(*chunks: Any, newline: str = "\r\n") -> bytes:
    """Chunks as events; a string is raw."""
    blank = newline * 2
    lines = [
        chunk if isinstance(chunk, str) else f"data: {orjson.dumps(chunk).decode()}{blank}"
        for chunk in chunks
    ]
    return "".join(lines).encode()


def translated(*pieces: bytes) -> list[Event]:
    translator = translate_stream(REQUEST)
    return [event for piece in pieces for event in translator.feed(piece)] + translator.finish()


def plain(events: list[Event]) -> list[Any]:
    """Events as JSON with the ids that were made here replaced by their order."""
    listed = []
    for event in events:
        if isinstance(event, Fault):
            listed.append(["Fault", {"code": event.error.code, "message": event.error.message}])
            continue
        fields = dataclasses.asdict(event)
        defaults = {field.name: field.default for field in dataclasses.fields(event)}
        listed.append(
            [
                type(event).__name__,
                {k: v for k, v in fields.items() if v != defaults[k] and v not in ({}, ())},
            ]
        )
    text = orjson.dumps(listed).decode()
    for number, made in enumerate(dict.fromkeys(MADE_ID.findall(text)), 1):
        text = text.replace(made, f"made-id-{number}")
    return orjson.loads(text)  # type: ignore[no-any-return]


def text(text_: str, **candidate: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text_}]}, **candidate}]}


@pytest.mark.parametrize("stream", STREAMS, ids=[stream["name"] for stream in STREAMS])
def test_a_stream_of_the_golden_file_becomes_its_events(stream: dict[str, Any]) -> None:
    assert plain(translated(sse(*stream["chunks"]))) == stream["events"]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(STREAMS), st.sampled_from(["\n", "\r\n"]), st.lists(st.integers(0, 6000), max_size=12))
def test_any_cut_gives_the_same_events(stream: dict[str, Any], newline: str, cuts: list[int]) -> None:
    raw = sse(*stream["chunks"], newline=newline)
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    pieces = [raw[start:end] for start, end in itertools.pairwise(edges)]
    assert plain(translated(*pieces)) == stream["events"]


def test_the_same_bytes_one_by_one_give_the_same_events() -> None:
    for stream in STREAMS:
        raw = sse(*stream["chunks"])
        assert plain(translated(*(raw[i : i + 1] for i in range(len(raw))))) == stream["events"]


def test_finish_and_the_last_usage_come_at_the_end_once() -> None:
    early = {
        **text("a", finishReason="STOP"),
        "usageMetadata": {"promptTokenCount": 15, "totalTokenCount": 15},
    }
    late = {
        **text("b", finishReason="STOP"),
        "usageMetadata": {"promptTokenCount": 13, "candidatesTokenCount": 2, "totalTokenCount": 15},
    }
    events = translated(sse(early, late, {"usageMetadata": {"trafficType": "ON_DEMAND"}}))
    assert events == [Delta("a"), Delta("b"), Finish("stop", native="STOP"), Usage(13, 2, 15)]


def test_a_stream_that_ends_without_a_finish_reason_is_a_fault() -> None:
    events = translated(sse(text("half")))
    assert events[0] == Delta("half")
    assert isinstance(events[1], Fault)
    assert events[1].error.kind is ErrorKind.BAD_RESPONSE
    assert len(events) == 2


@pytest.mark.parametrize("raw", [b"", b": ping\n\n", b"<html><body>busy</body></html>"])
def test_a_stream_without_an_answer_is_a_fault(raw: bytes) -> None:
    events = translated(raw)
    assert [type(event) for event in events] == [Fault]


ERROR = {
    "code": 429,
    "message": "Resource exhausted. Please retry in 900.2ms",
    "status": "RESOURCE_EXHAUSTED",
}


@pytest.mark.parametrize(
    "told",
    [
        {"error": ERROR},
        [{"error": ERROR}],
        orjson.dumps({"error": ERROR}).decode(),
        orjson.dumps({"error": ERROR}, option=orjson.OPT_INDENT_2).decode() + "\r\n\r\n",
        orjson.dumps([{"error": ERROR}], option=orjson.OPT_INDENT_2).decode(),
    ],
)
def test_an_error_in_the_middle_ends_the_stream_in_each_of_its_forms(told: Any) -> None:
    delta, fault = translated(sse(text("half"), told))
    assert delta == Delta("half")
    assert isinstance(fault, Fault)
    assert fault.error.kind is ErrorKind.RATE_LIMITED
    assert fault.error.retry_after == 0.9
    assert fault.error.upstream_status is None


def test_nothing_comes_after_a_fault() -> None:
    translator = translate_stream(REQUEST)
    assert len(translator.feed(sse(text("a"), {"error": ERROR}, text("b")))) == 2
    assert translator.feed(sse(text("c", finishReason="STOP"))) == []
    assert translator.finish() == []


def test_an_event_that_is_no_json_is_a_fault() -> None:
    assert isinstance(translated(sse("data: {oops\n\n"))[0], Fault)


def test_an_end_marker_of_others_and_unknown_lines_mean_nothing() -> None:
    events = translated(
        sse(text("a", finishReason="STOP"), "data: [DONE]\n\n", "retry-hint: 3\n\n", "data:\n\n")
    )
    assert events == [Delta("a"), Finish("stop", native="STOP")]


def test_a_body_that_came_as_a_list_is_read_at_the_end() -> None:
    listed = orjson.dumps([text("a"), text("b", finishReason="STOP")], option=orjson.OPT_INDENT_2)
    assert complete(translated(listed)).choices[0].text == "ab"


def call(**fields: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": [{"functionCall": fields}]}}]}


END: dict[str, Any] = {"candidates": [{"finishReason": "STOP"}]}


def test_tool_calls_are_numbered_across_chunks() -> None:
    events = translated(sse(call(name="f", args={}), call(name="f", args={"a": 1}), END))
    assert [(event.index, event.arguments) for event in events if isinstance(event, ToolDelta)] == [
        (0, "{}"),
        (1, '{"a":1}'),
    ]


def test_a_call_in_pieces_is_told_at_once_and_its_arguments_when_they_are_whole() -> None:
    translator = translate_stream(REQUEST)
    first = translator.feed(sse(call(name="f", willContinue=True)))
    assert isinstance(first[0], ToolDelta)
    assert (first[0].name, first[0].arguments) == ("f", "")
    piece = {"jsonPath": "$.a", "stringValue": "x", "willContinue": True}
    assert translator.feed(sse(call(partialArgs=[piece], willContinue=True))) == []
    assert translator.feed(sse(call())) == [ToolDelta(0, '{"a":"x"}')]


def test_a_call_in_pieces_whose_end_is_missing_ends_with_the_next_one_or_the_stream() -> None:
    piece = {"jsonPath": "$.a", "numberValue": 1}
    events = translated(
        sse(
            call(name="f", willContinue=True),
            call(name="g", partialArgs=[piece], willContinue=True),
            {"candidates": [{"finishReason": "MAX_TOKENS"}]},
        )
    )
    choice = complete(events).choices[0]
    assert [(tool.name, tool.arguments) for tool in choice.tool_calls] == [("f", "{}"), ("g", '{"a":1}')]
    assert choice.finish_reason == "length"


def test_a_stray_end_of_a_call_means_nothing() -> None:
    assert translated(sse(call(), END)) == [Finish("stop", native="STOP")]


parts = st.one_of(
    st.builds(lambda text_, thought: {"text": text_, "thought": thought}, st.text(max_size=8), st.booleans()),
    st.builds(
        lambda name, args, more: {"functionCall": {"name": name, "args": args, "willContinue": more}},
        st.sampled_from(["f", "g", ""]),
        st.none() | st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
        st.booleans(),
    ),
    st.just({"functionCall": {"partialArgs": [{"jsonPath": "$.a", "stringValue": "é"}]}}),
)
chunk_lists = st.lists(
    st.builds(
        lambda part, index: {"candidates": [{"content": {"parts": [part]}, "index": index}]},
        parts,
        st.integers(0, 1),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(chunk_lists, st.booleans(), st.sampled_from(["\n", "\r\n"]), st.lists(st.integers(0, 900), max_size=8))
def test_any_stream_keeps_the_rules_of_events(
    chunks: list[Any], finished: bool, newline: str, cuts: list[int]
) -> None:
    ends = (
        [{"candidates": [{"finishReason": "STOP", "index": index}]} for index in (0, 1)] if finished else []
    )
    raw = sse(*chunks, *ends, newline=newline)
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    events = translated(*(raw[start:end] for start, end in itertools.pairwise(edges)))
    assert plain(events) == plain(translated(raw))
    if not finished:
        assert isinstance(events[-1], Fault)
        return
    for choice in complete(events).choices:
        assert all(isinstance(orjson.loads(tool.arguments), dict) for tool in choice.tool_calls)
        assert len({tool.id for tool in choice.tool_calls}) == len(choice.tool_calls)
    assert not any(isinstance(event, Delta | Reasoning) and not event.text for event in events)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=6))
def test_no_bytes_raise_anything_but_an_upstream_error(pieces: list[bytes]) -> None:
    try:
        events = translated(*pieces)
    except UpstreamError:
        return
    assert isinstance(events[-1], Fault)


def test_a_signature_is_carried_with_its_call() -> None:
    chunk = {
        "candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}, "thoughtSignature": "UzE="}]}}]
    }
    tool, carry = translated(sse(chunk, END))[:2]
    assert isinstance(tool, ToolDelta)
    assert tool.id is not None
    assert carry == Carry("gemini.signature", tool.id, "UzE=")
    assert "UzE" not in tool.id
