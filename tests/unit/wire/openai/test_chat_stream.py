"""OpenAI-format streams as events: for surfaces that speak something else."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastproxy.types import ChatRequest, Json
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
    complete,
)
from fastproxy.wire.openai.chat_stream import ChatTranslator

DEEPSEEK = Path(__file__).parents[3] / "golden" / "deepseek"
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
REQUEST = ChatRequest("m", ({"role": "user", "content": "hi"},), stream=True, tools=(TOOL,))
DONE = b"data: [DONE]\n\n"


def chunk(delta: Json | None = None, finish: str | None = None, **fields: Any) -> bytes:
    choice = {"index": fields.pop("index", 0), "delta": delta or {}, "finish_reason": finish, **fields}
    return b"data: " + orjson.dumps({"id": "c", "choices": [choice]}) + b"\n\n"


def call(index: int | None = 0, **fields: Any) -> Json:
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {"tool_calls": [{"function": function, **fields} | ({} if index is None else {"index": index})]}


def translate(*pieces: bytes, request: ChatRequest = REQUEST) -> list[Event]:
    translator = ChatTranslator(request)
    return [event for piece in pieces for event in translator.feed(piece)] + translator.finish()


def test_pieces_become_events() -> None:
    item = {"type": "url_citation", "url_citation": {"url": "u"}}
    image = {"type": "image_url", "image_url": {"url": "data:x"}}
    token = {"token": "a", "logprob": 0.0}
    events = translate(
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning": "r"}),
        chunk({"content": "a"}, logprobs={"content": [token], "refusal": None}),
        chunk({"refusal": "n"}),
        chunk({"annotations": [item], "images": [image]}),
        chunk({}, "weird"),
        b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n',
        DONE,
    )
    assert events == [
        Reasoning("r"),
        Delta("a", logprobs=(token,)),
        Refusal("n"),
        Annotations((item,)),
        Image("data:x"),
        Finish("stop", native="weird"),
        Usage(1, 2, 3),
    ]


def test_calls_are_numbered_from_nought_and_get_arguments() -> None:
    events = translate(
        chunk(call(0, id="a", name="f", arguments="")),
        chunk(call(0, arguments='{"x"')),
        chunk(call(0, arguments=":1}")),
        chunk(call(1, id="b", name="g")),
        chunk({}, "stop"),
        DONE,
    )
    assert events == [
        ToolDelta(0, "", "a", "f"),
        ToolDelta(0, '{"x"'),
        ToolDelta(0, ":1}"),
        ToolDelta(1, "", "b", "g"),
        ToolDelta(1, "{}"),
        Finish("tool_calls", native="stop"),
    ]


@pytest.mark.parametrize("index", [0, None])
def test_parallel_calls_that_all_say_index_nought_are_told_apart_by_id(index: int | None) -> None:
    first, second = (
        call(index, id="a", name="f", arguments={"x": 1}),
        call(index, id="b", name="g", arguments="{}"),
    )
    (choice,) = complete(translate(chunk(first), chunk(second), chunk({}, "tool_calls"), DONE)).choices
    assert [(c.id, c.name, c.arguments) for c in choice.tool_calls] == [
        ("a", "f", '{"x":1}'),
        ("b", "g", "{}"),
    ]


def test_a_call_without_id_gets_one_and_one_without_name_is_a_fault() -> None:
    made, *_rest = translate(chunk(call(0, name="f", arguments="{}")), chunk({}, "stop"), DONE)
    assert isinstance(made, ToolDelta)
    assert made.id
    assert isinstance(translate(chunk(call(0, id="a")))[-1], Fault)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        chunk({"content": "a"}),
        chunk({"content": "a"}) + DONE,
        b"data: {\n\n",
        b'data: {"error":"x"}\n\n',
        b'{"error":"x"}',
    ],
)
def test_a_break_an_error_or_garbage_is_the_last_event(broken: bytes) -> None:
    events = translate(broken)
    assert isinstance(events[-1], Fault)
    assert not any(isinstance(event, Finish) for event in events)


@pytest.mark.parametrize("name", ["text", "reasoning", "tool_call"])
def test_deepseeks_recorded_streams_become_whole_answers(name: str) -> None:
    events = translate((DEEPSEEK / f"{name}.sse").read_bytes())
    completion = complete(events)
    (choice,) = completion.choices
    assert completion.usage is not None
    assert choice.finish_reason == {"text": "length", "reasoning": "stop", "tool_call": "tool_calls"}[name]
    if name == "tool_call":
        (made,) = choice.tool_calls
        assert orjson.loads(made.arguments) == {"location": "San Francisco"}
        assert completion.carries == [Carry("deepseek.reasoning", made.id, choice.reasoning)]
        assert events.index(completion.carries[0]) < next(
            place for place, event in enumerate(events) if isinstance(event, ToolDelta)
        )


@settings(deadline=None)
@given(st.sampled_from(["reasoning", "tool_call"]), st.lists(st.integers(0, 17000), max_size=12))
def test_any_cut_gives_the_same_events(name: str, cuts: list[int]) -> None:
    raw = (DEEPSEEK / f"{name}.sse").read_bytes()
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    assert translate(*[raw[a:b] for a, b in itertools.pairwise(edges)]) == translate(raw)


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    assert isinstance(translate(*pieces)[-1], Fault)
