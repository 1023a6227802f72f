"""Events become a stream that Anthropic's own SDK reads, whatever the events are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.wire.answer import Head
from fastproxy.wire.anthropic.message import SIGNATURE
from fastproxy.wire.anthropic.messages_stream import MessagesRenderer
from fastproxy.wire.events import (
    Annotations,
    Carry,
    Delta,
    Event,
    Fault,
    Finish,
    Image,
    Reasoning,
    Refusal,
    ToolDelta,
    Usage,
)
from fastproxy.wire.sse import SseDecoder

GOLDEN = Path(__file__).parents[3] / "golden" / "anthropic"
HEAD = Head("msg_1", 7, "m")
TYPED: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
BROKEN = Fault(UpstreamError(ErrorKind.OVERLOADED, "box is too busy."))


def rendered(events: Sequence[Event]) -> bytes:
    renderer = MessagesRenderer(Head("msg_1", 7, "gemini-2.5-pro"))
    return b"".join([*(renderer.render([event]) for event in events), renderer.end()])


def decoded(stream: bytes) -> list[dict[str, Any]]:
    events = SseDecoder().feed(stream)
    payloads = [orjson.loads(event.data) for event in events]
    assert [event.event for event in events] == [payload["type"] for payload in payloads]
    return payloads


def read(stream: bytes) -> dict[str, Any]:
    """The message that the SDK makes of the stream; each event is checked against the SDK's types, and the
    order of the blocks against the rules."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    open_block, begun = None, 0
    payloads = decoded(stream)
    assert [p["type"] for p in payloads[:1] + payloads[-2:]] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
    for payload in payloads:
        event = TYPED.validate_python(payload)
        if payload["type"] == "content_block_start":
            assert (open_block, payload["index"]) == (None, begun)
            open_block, begun = begun, begun + 1
        elif payload["type"] == "content_block_delta":
            assert payload["index"] == open_block
        elif payload["type"] == "content_block_stop":
            assert payload["index"] == open_block
            open_block = None
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    assert open_block is None
    made: dict[str, Any] = snapshot.to_dict()
    return made


CONVERSATION: tuple[Event, ...] = (
    Reasoning("Let me "),
    Reasoning("see."),
    Delta("I look."),
    Carry("gemini.signature", "call_1", "c2ln"),
    ToolDelta(0, "", "call_1", "weather"),
    ToolDelta(0, '{"city":'),
    ToolDelta(0, '"Rome"}'),
    ToolDelta(1, "{}", "call_2", "time"),
    Finish("tool_calls", native="STOP"),
    Usage(10, 7, 17, cached_tokens=4, reasoning_tokens=3),
)


def test_a_golden_stream() -> None:
    assert rendered(CONVERSATION) == (GOLDEN / "rendered_thinking_and_tools.sse").read_bytes()


def test_the_sdk_reads_thoughts_text_and_parallel_calls() -> None:
    message = read(rendered(CONVERSATION))
    assert message["content"] == [
        {"type": "thinking", "thinking": "Let me see.", "signature": SIGNATURE},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Rome"}},
        {"type": "tool_use", "id": "call_2", "name": "time", "input": {}},
    ]
    assert message["stop_reason"] == "tool_use"
    assert message["usage"] == {
        "input_tokens": 6,
        "output_tokens": 7,
        "cache_read_input_tokens": 4,
        "output_tokens_details": {"thinking_tokens": 3},
    }
    assert (message["id"], message["model"]) == ("msg_1", "gemini-2.5-pro")


def test_nothing_is_sent_before_there_is_content() -> None:
    renderer = MessagesRenderer(HEAD)
    assert renderer.render([Delta(""), Carry("k", "c", "v"), Annotations(({"a": 1},))]) == b""
    assert renderer.render([Delta("a")]).startswith(b"event: message_start\n")


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([Delta("a"), Finish("stop")], "end_turn"),
        ([Delta("a"), Finish("length")], "max_tokens"),
        ([Finish("content_filter")], "refusal"),
        ([Refusal("I will not"), Finish("stop")], "refusal"),
        ([Finish("stop")], "end_turn"),
    ],
)
def test_why_an_answer_ended(events: list[Event], reason: str) -> None:
    assert read(rendered(events))["stop_reason"] == reason


def test_calls_whose_pieces_alternate_come_one_after_the_other() -> None:
    message = read(
        rendered(
            [
                ToolDelta(0, '{"a"', "c0", "f"),
                ToolDelta(1, '{"b"', "c1", "f"),
                Delta("meanwhile"),
                ToolDelta(0, ":1}"),
                ToolDelta(1, ":2}"),
                Finish("tool_calls"),
            ]
        )
    )
    assert [block.get("input", block.get("text")) for block in message["content"]] == [
        {"a": 1},
        {"b": 2},
        "meanwhile",
    ]


def test_a_call_streams_while_it_is_made() -> None:
    renderer = MessagesRenderer(HEAD)
    renderer.render([ToolDelta(0, "", "c0", "f")])
    assert b'"partial_json":"{\\"a\\""' in renderer.render([ToolDelta(0, '{"a"')])


def test_a_fault_ends_the_stream_with_an_error_event_and_nothing_after_it() -> None:
    renderer = MessagesRenderer(HEAD)
    renderer.render([Delta("a")])
    error = renderer.render([BROKEN, Delta("b")])
    assert decoded(error) == [
        {"type": "error", "error": {"type": "overloaded_error", "message": "box is too busy."}}
    ]
    assert renderer.render([Delta("c")]) == renderer.end() == b""


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://x.example/a.png", "![image](https://x.example/a.png)"),
        ("data:image/png;base64,AAAA", "[image: image/png, which a Messages answer cannot carry]"),
    ],
)
def test_a_generated_image_is_told_as_text(url: str, text: str) -> None:
    assert read(rendered([Image(url), Finish("stop")]))["content"] == [{"type": "text", "text": text}]


def test_other_choices_than_the_first_are_left_out() -> None:
    message = read(rendered([Delta("a"), Delta("b", choice=1), Finish("stop"), Finish("length", choice=1)]))
    assert (message["content"], message["stop_reason"]) == ([{"type": "text", "text": "a"}], "end_turn")


TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
CALLS = st.dictionaries(st.text('ab"\\ü', max_size=3), st.integers(-9, 9) | TEXTS, max_size=2)


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[Event], dict[int, Any]]:
    """Any order of what a model may say: the pieces of its calls are mixed with all else."""
    inputs = draw(st.lists(CALLS, max_size=3))
    queues: list[list[Event]] = []
    for index, value in enumerate(inputs):
        text = orjson.dumps(value).decode()
        at = draw(st.integers(0, len(text)))
        queues.append([ToolDelta(index, text[:at], f"c{index}", "f"), ToolDelta(index, text[at:])])
    said = st.builds(Delta, TEXTS) | st.builds(Reasoning, TEXTS) | st.builds(Refusal, TEXTS)
    queues.append(draw(st.lists(said, max_size=5)))
    events: list[Event] = []
    begun = 0
    while any(queues):
        able = [q for i, q in enumerate(queues) if q and (i <= begun or i == len(inputs))]
        queue = draw(st.sampled_from(able))
        begun += queue is (queues[begun] if begun < len(inputs) else None)
        events.append(queue.pop(0))
    events.append(Finish(draw(st.sampled_from(["stop", "length", "tool_calls", "content_filter"]))))
    if draw(st.booleans()):
        events.append(Usage(5, 3, 8, cached_tokens=draw(st.none() | st.integers(0, 9))))
    return events, dict(enumerate(inputs))


@given(answers())
def test_whatever_a_model_says_the_sdk_reads_it(answer: tuple[list[Event], dict[int, Any]]) -> None:
    events, inputs = answer
    content = read(rendered(events))["content"]
    calls = {block["id"]: block["input"] for block in content if block["type"] == "tool_use"}
    assert calls == {f"c{index}": value for index, value in inputs.items()}
    texts = "".join(block["text"] for block in content if block["type"] == "text")
    assert texts == "".join(event.text for event in events if isinstance(event, Delta | Refusal))
    thoughts = "".join(block["thinking"] for block in content if block["type"] == "thinking")
    assert thoughts == "".join(event.text for event in events if isinstance(event, Reasoning))
