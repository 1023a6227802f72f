"""The stream of /api/chat: the same events however it is cut, and every break is told."""

from __future__ import annotations

import itertools
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind
from fastproxy.types import ChatRequest
from fastproxy.wire import ndjson
from fastproxy.wire.events import Delta, Event, Fault, Finish, Reasoning, ToolDelta, Usage
from fastproxy.wire.ollama.stream import translate_stream

RAW = (Path(__file__).parents[3] / "golden" / "ollama" / "stream_thinking_and_tools.ndjson").read_bytes()
EVENTS = [
    Reasoning("Let me "),
    Reasoning("see … 🙂"),
    Delta("Reading\u2028both."),
    ToolDelta(0, '{"path":"é.txt"}', "call_abc", "read"),
    ToolDelta(1, "{}", "call_def", "list"),
    Finish("tool_calls", native="stop"),
    Usage(120, 45, 165),
]
CHAT = ChatRequest("ollama-qwen3", (), stream=True)


def translate(*pieces: bytes, request: ChatRequest = CHAT) -> list[Event]:
    translator = translate_stream(request)
    return [event for piece in pieces for event in translator.feed(piece)] + translator.finish()


def test_a_golden_stream() -> None:
    assert translate(RAW) == EVENTS


@given(st.lists(st.integers(0, len(RAW)), max_size=12), st.booleans(), st.booleans())
def test_any_cut_gives_the_same_events(cuts: list[int], crlf: bool, ends: bool) -> None:
    raw = RAW if ends else RAW.rstrip()
    raw = raw.replace(b"\n", b"\r\n") if crlf else raw
    edges = [0, *sorted(cuts), len(raw)]
    assert translate(*(raw[a:b] for a, b in itertools.pairwise(edges))) == EVENTS


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_any_bytes_end_in_one_fault(pieces: list[bytes]) -> None:
    events = translate(*pieces)
    assert [type(event) for event in events] == [Fault]


numbers = st.integers(-(2**63), 2**63 - 1)
values = st.none() | st.booleans() | numbers | st.text(max_size=5) | st.lists(numbers, max_size=2)
calls = st.lists(
    st.fixed_dictionaries(
        {}, optional={"id": values, "function": values | st.fixed_dictionaries({"name": values})}
    ),
    max_size=2,
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "message": values
        | st.fixed_dictionaries(
            {}, optional={"content": values, "thinking": values, "tool_calls": values | calls}
        ),
        "done": values,
        "done_reason": values,
        "error": values,
        "logprobs": values,
        "prompt_eval_count": values,
    },
)


@given(st.lists(payloads, max_size=4))
def test_any_objects_end_in_a_finish_with_usage_or_in_a_fault(objects: list[dict[str, object]]) -> None:
    raw = b"\n".join(orjson.dumps(payload) for payload in objects)
    events = translate(raw)
    assert isinstance(events[-1], (Fault, Usage))
    assert sum(isinstance(event, (Fault, Finish)) for event in events) == 1


def line(message: dict[str, object] | None = None, **fields: object) -> bytes:
    return orjson.dumps({"message": message or {"content": "hi"}, "done": False, **fields}) + b"\n"


def test_an_error_in_the_stream_is_the_last_event() -> None:
    events = translate(
        line(), b'{"error":"an error was encountered while running the model"}\n', line(done=True)
    )
    assert events[0] == Delta("hi")
    assert isinstance(events[1], Fault)
    assert len(events) == 2
    assert events[1].error.kind is ErrorKind.BAD_RESPONSE
    assert events[1].error.message == "Ollama: an error was encountered while running the model"


def test_an_end_without_done_is_a_break() -> None:
    events = translate(line())
    assert events[0] == Delta("hi")
    assert isinstance(events[1], Fault)
    assert events[1].error.kind is ErrorKind.BAD_RESPONSE


def test_what_follows_done_is_ignored() -> None:
    assert translate(line(done=True) + line(), line()) == [
        Delta("hi"),
        Finish("stop"),
        Usage(0, 0, 0),
    ]


def test_a_line_past_all_bounds_is_a_break_after_the_lines_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "MAX_LINE_BYTES", 100)
    events = translate(line() + b"x" * 200)
    assert events[0] == Delta("hi")
    assert isinstance(events[1], Fault)


def test_ids_are_kept_if_legal_and_new_and_made_otherwise() -> None:
    given_ids = ["call_1", "call_1", "", "no good", None]
    calls_ = [{"id": given_id, "function": {"name": "f"}} for given_id in given_ids]
    found = [
        event for event in translate(line({"tool_calls": calls_}, done=True)) if isinstance(event, ToolDelta)
    ]
    assert [event.index for event in found] == [0, 1, 2, 3, 4]
    assert found[0].id == "call_1"
    assert len({event.id for event in found}) == 5
    assert all(event.id and event.id.startswith("call_") and len(event.id) == 29 for event in found[1:])


@pytest.mark.parametrize(
    ("prompt", "finish"),
    [(99, Finish("stop", native="stop")), (100, Finish("length", native="truncated_prompt"))],
)
def test_a_prompt_that_fills_the_context_was_cut(prompt: int, finish: Finish) -> None:
    request = ChatRequest("m", (), stream=True, context_window=100)
    raw = line(done=True, done_reason="stop", prompt_eval_count=prompt, eval_count=1)
    assert translate(raw, request=request) == [Delta("hi"), finish, Usage(prompt, 1, prompt + 1)]
