"""Custom tools' calls on the chat surface: functions whose arguments are the bare text."""

from __future__ import annotations

import itertools

import orjson
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.answer import Head
from fastproxy.wire.events import Choice, Completion, Delta, Event, Finish, ToolCall, ToolDelta, complete
from fastproxy.wire.surface import CHAT

REQUEST = ChatRequest("m", (), custom_tools=frozenset({"ApplyPatch"}))
HEAD = Head("chatcmpl-1", 7, "m")
ARGUMENTS = '{"input": "*** Begin Patch\\n+\\"x\\" \\ud83d\\ude00\\n*** End Patch"}'
TEXT = '*** Begin Patch\n+"x" 😀\n*** End Patch'


def calls(pieces: list[str]) -> list[Json]:
    """All tool call deltas of a stream in which one custom call comes in these pieces, between two others."""
    events: list[Event] = [
        Delta("Patching."),
        ToolDelta(0, '{"a":1}', "c0", "Read"),
        ToolDelta(1, id="c1", name="ApplyPatch"),
        *(ToolDelta(1, piece) for piece in pieces),
        ToolDelta(2, "{}", "c2", "Read"),
        Finish("tool_calls"),
    ]
    renderer = CHAT.renderer(HEAD, REQUEST)
    data = b"".join(renderer.render([event]) for event in events) + renderer.end()
    assert data.endswith(b"data: [DONE]\n\n")
    chunks = [orjson.loads(line[6:]) for line in data.split(b"\n\n") if line.startswith(b"data: {")]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    return [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", [])]


@given(st.sets(st.integers(1, len(ARGUMENTS) - 1)))
def test_the_bare_text_streams_and_other_calls_stay_json(cuts: set[int]) -> None:
    edges = [0, *sorted(cuts), len(ARGUMENTS)]
    found = calls([ARGUMENTS[a:b] for a, b in itertools.pairwise(edges)])
    first = next(call for call in found if call["index"] == 1)
    assert first == {
        "index": 1,
        "id": "c1",
        "type": "function",
        "function": {"name": "ApplyPatch", "arguments": ""},
    }
    written = dict.fromkeys(range(3), "")
    for call in found:
        written[call["index"]] += call["function"]["arguments"]
    assert written == {0: '{"a":1}', 1: TEXT, 2: "{}"}


def test_text_that_is_known_only_at_the_end_comes_before_the_finish() -> None:
    assert (
        "".join(c["function"]["arguments"] for c in calls(["*** Begin", " Patch"]) if c["index"] == 1)
        == "*** Begin Patch"
    )


def test_a_whole_answer_holds_the_bare_text() -> None:
    made = [ToolCall("c0", "Read", '{"a":1}'), ToolCall("c1", "ApplyPatch", ARGUMENTS)]
    completion = Completion([Choice(tool_calls=made, finish_reason="tool_calls")])
    body = orjson.loads(CHAT.render_completion(completion, HEAD, REQUEST))
    functions = [call["function"]["arguments"] for call in body["choices"][0]["message"]["tool_calls"]]
    assert functions == ['{"a":1}', TEXT]
    assert made[1].arguments == ARGUMENTS


def test_without_custom_tools_nothing_is_changed() -> None:
    plain = ChatRequest("m", ())
    completion = complete([ToolDelta(0, ARGUMENTS, "c1", "ApplyPatch"), Finish("tool_calls")])
    body = orjson.loads(CHAT.render_completion(completion, HEAD, plain))
    assert body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == ARGUMENTS
