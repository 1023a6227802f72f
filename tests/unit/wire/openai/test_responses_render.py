"""Events as a Responses stream: strict order, whole items, numbers without a gap, the SDK's own types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.types import ChatRequest, Json, ToolChoice
from fastproxy.wire.answer import Head
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
from fastproxy.wire.openai.carrier import unpack
from fastproxy.wire.openai.responses_render import ResponsesRenderer, heartbeat, render_response, stream_error

GOLDEN = Path(__file__).parents[3] / "golden" / "openai" / "responses_tools.sse"
SDK_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
TOOLS = (
    {"type": "function", "function": {"name": "rg", "parameters": {"type": "object", "properties": {}}}},
    {"type": "function", "function": {"name": "ApplyPatch", "parameters": {"type": "object"}}},
)
REQUEST = ChatRequest("m", (), stream=True, tools=TOOLS, custom_tools=frozenset({"ApplyPatch"}))
PATCH = '{"input": "*** Begin Patch\\n+x"}'
LOOP: list[Event] = [
    Reasoning("I should "),
    Reasoning("look."),
    Delta("Looking"),
    Delta(" now.", logprobs=({"token": " now.", "logprob": -0.5, "bytes": [], "top_logprobs": []},)),
    Carry("deepseek.reasoning", "call_1", "I should look."),
    ToolDelta(0, "", "call_1", "rg"),
    ToolDelta(0, '{"pattern":'),
    ToolDelta(0, '"TODO"}'),
    Carry("deepseek.reasoning", "call_2", "I should look."),
    ToolDelta(1, PATCH[:20], "call_2", "ApplyPatch"),
    ToolDelta(1, PATCH[20:]),
    Finish("tool_calls"),
    Usage(20, 9, 29, cached_tokens=4, reasoning_tokens=3),
]


def head() -> Head:
    return Head("resp_abc", 7, "m")


def decoded(data: bytes) -> list[Json]:
    """The events, checked against the SDK's types, their names and their numbers."""
    assert b"[DONE]" not in data
    found = []
    for block in data.split(b"\n\n")[:-1]:
        name, line = block.split(b"\n")
        event = orjson.loads(line.removeprefix(b"data: "))
        assert name == b"event: " + event["type"].encode()
        if b"context_length_exceeded" not in line:  # clients know this code, the SDK's types do not
            SDK_EVENT.validate_python(event)
        found.append(event)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def stream(events: list[Event], request: ChatRequest = REQUEST) -> list[Json]:
    renderer = ResponsesRenderer(head(), request)
    return decoded(b"".join(renderer.render([event]) for event in events) + renderer.end())


def unary(events: list[Event], request: ChatRequest = REQUEST) -> Json:
    body: Json = orjson.loads(render_response(complete(events), head(), request))
    Response.model_validate(body)
    return body


def kinds(events: list[Json]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def test_a_tool_loop_is_this_stream() -> None:
    renderer = ResponsesRenderer(head(), REQUEST)
    data = b"".join(renderer.render([event]) for event in LOOP) + renderer.end()
    assert data.decode() == GOLDEN.read_text()
    decoded(data)


def test_the_order_of_a_text() -> None:
    assert kinds(stream([Delta("a"), Delta("b"), Finish("stop")])) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_the_order_of_thoughts_and_calls() -> None:
    assert kinds(stream(LOOP))[2:] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",  # what the provider wants back
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ]


def test_the_last_event_holds_all_of_it() -> None:
    response = stream(LOOP)[-1]["response"]
    assert response["status"] == "completed"
    assert [item["type"] for item in response["output"]] == [
        "reasoning",
        "message",
        "reasoning",
        "function_call",
        "custom_tool_call",
    ]
    assert response["output"][3]["arguments"] == '{"pattern":"TODO"}'
    assert response["output"][4]["input"] == "*** Begin Patch\n+x"
    assert response["usage"] == {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 29,
    }


def test_thoughts_that_parallel_calls_share_are_carried_once() -> None:
    items = stream(LOOP)[-1]["response"]["output"]
    carried = [unpack(item.get("encrypted_content")) for item in items]
    assert carried == [{}, {}, {("deepseek.reasoning", "call_1"): "I should look."}, {}, {}]


@pytest.mark.parametrize("first", [0, 1], ids=["carry first", "call first"])
def test_a_signature_goes_before_its_call(first: int) -> None:
    pair: list[Event] = [Carry("gemini.signature", "c", "sig"), ToolDelta(0, "{}", "c", "rg")]
    renderer = ResponsesRenderer(head(), REQUEST)
    data = renderer.render([pair[first], pair[1 - first]]) + renderer.render([Finish("tool_calls")])
    output = decoded(data + renderer.end())[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["reasoning", "function_call"]
    assert unpack(output[0]["encrypted_content"]) == {("gemini.signature", "c"): "sig"}


def test_what_is_known_only_at_the_end_is_carried_by_a_last_item() -> None:
    events = stream([Delta("Hi"), Finish("stop"), Carry("deepseek.reasoning_after", "c", "so")])
    output = events[-1]["response"]["output"]
    assert unpack(output[-1]["encrypted_content"]) == {("deepseek.reasoning_after", "c"): "so"}
    assert kinds(events)[-3:] == ["output_item.added", "output_item.done", "completed"]


def test_a_call_that_is_not_whole_stays_open_while_another_begins() -> None:
    events = stream(
        [
            ToolDelta(0, '{"a":', "c0", "rg"),
            ToolDelta(1, "{}", "c1", "rg"),
            ToolDelta(0, "1}"),
            Finish("tool_calls"),
        ]
    )
    assert [item["arguments"] for item in events[-1]["response"]["output"]] == ['{"a":1}', "{}"]


@pytest.mark.parametrize(
    ("reason", "told"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_answer_that_was_cut_is_incomplete(reason: str, told: str) -> None:
    events: list[Event] = [Delta("Half"), Finish(reason)]
    last = stream(events)[-1]
    assert last["type"] == "response.incomplete"
    for response in (last["response"], unary(events)):
        assert response["status"] == response["output"][0]["status"] == "incomplete"
        assert response["incomplete_details"] == {"reason": told}


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ErrorKind.RATE_LIMITED, "rate_limit_exceeded"),
        (ErrorKind.CONTEXT_LENGTH, "context_length_exceeded"),
        (ErrorKind.BAD_RESPONSE, "server_error"),
    ],
)
def test_a_fault_ends_the_stream_as_failed(kind: ErrorKind, code: str) -> None:
    events = stream([Delta("Half"), Fault(UpstreamError(kind, "It broke.")), Delta("never")])
    assert kinds(events)[-1] == "failed"
    response = events[-1]["response"]
    assert (response["status"], response["error"]) == ("failed", {"code": code, "message": "It broke."})


def test_a_refusal_is_a_part_of_its_own() -> None:
    events: list[Event] = [Delta("Well"), Refusal("No"), Refusal("."), Finish("content_filter")]
    assert unary(events)["output"][0]["content"] == stream(events)[-1]["response"]["output"][0]["content"]
    assert unary(events)["output"][0]["content"][1] == {"type": "refusal", "refusal": "No."}
    assert kinds(stream(events)).count("refusal.delta") == 2


def test_citations_are_flat() -> None:
    cited = {
        "type": "url_citation",
        "url_citation": {"url": "https://x", "title": "X", "start_index": 0, "end_index": 2},
    }
    events: list[Event] = [Delta("Hi"), Annotations((cited,)), Finish("stop")]
    for response in (stream(events)[-1]["response"], unary(events)):
        assert response["output"][0]["content"][0]["annotations"] == [
            {"type": "url_citation", "url": "https://x", "title": "X", "start_index": 0, "end_index": 2}
        ]


def test_images_are_items() -> None:
    events: list[Event] = [Image("data:image/png;base64,AAAA"), Image("https://x/y.png"), Finish("stop")]
    output = unary(events)["output"]
    assert (output[0]["type"], output[0]["result"]) == ("image_generation_call", "AAAA")
    assert output[1]["content"][0]["text"] == "![image](https://x/y.png)"
    assert stream(events)[-1]["response"]["output"] == output


def test_a_whole_answer_says_what_its_stream_says() -> None:
    whole, last = unary(LOOP), stream(LOOP)[-1]["response"]
    said, streamed = (
        [{**item, "id": ""} for item in response["output"] if item["type"] != "reasoning"]
        for response in (whole, last)
    )
    assert said == streamed
    assert whole["usage"] == last["usage"]
    assert whole["id"] == last["id"] == "resp_abc"
    thoughts = whole["output"][0]
    assert thoughts["summary"] == [{"type": "summary_text", "text": "I should look."}]
    assert unpack(thoughts["encrypted_content"]) == {("deepseek.reasoning", "call_1"): "I should look."}


def test_a_response_tells_what_was_asked() -> None:
    schema = {"type": "object"}
    request = ChatRequest(
        "m",
        (),
        tools=TOOLS,
        tool_choice=ToolChoice("required", ("ApplyPatch",)),
        custom_tools=REQUEST.custom_tools,
        parameters={
            "max_completion_tokens": 5,
            "reasoning_effort": "low",
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
            "metadata": {"a": "b"},
            "temperature": 0.5,
        },
    )
    response = unary([Delta("{}"), Finish("stop")], request)
    assert [tool["type"] for tool in response["tools"]] == ["function", "custom"]
    assert response["tool_choice"] == {"type": "custom", "name": "ApplyPatch"}
    assert response["text"] == {"format": {"type": "json_schema", "name": "n", "schema": schema}}
    assert response["reasoning"]["effort"] == "low"
    assert (response["max_output_tokens"], response["temperature"], response["metadata"]) == (
        5,
        0.5,
        {"a": "b"},
    )


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (None, "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("required", ("rg",)), {"type": "function", "name": "rg"}),
        (
            ToolChoice("auto", ("rg",)),
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "rg"}]},
        ),
    ],
)
def test_the_choice_of_tools_is_told_in_its_form(choice: ToolChoice | None, told: Any) -> None:
    request = ChatRequest("m", (), tools=TOOLS, tool_choice=choice)
    assert unary([Delta("x"), Finish("stop")], request)["tool_choice"] == told


def test_heartbeats_open_the_response_and_the_answer_goes_on_from_there() -> None:
    one = head()
    data = heartbeat(one, REQUEST) + heartbeat(one, REQUEST)
    renderer = ResponsesRenderer(one, REQUEST)
    data += renderer.render([Delta("Hi"), Finish("stop")])
    assert heartbeat(one, REQUEST) == b": ping\n"
    assert kinds(decoded(data + renderer.end()))[:4] == [
        "created",
        "in_progress",
        "in_progress",
        "output_item.added",
    ]


def test_an_attempt_that_was_not_sent_leaves_no_trace() -> None:
    one = head()
    data = heartbeat(one, REQUEST)
    ResponsesRenderer(one, REQUEST).render([Delta("lost")])
    renderer = ResponsesRenderer(one, REQUEST)
    events = decoded(data + renderer.render([Delta("kept"), Finish("stop")]) + renderer.end())
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "kept"


def test_an_answer_that_never_began_fails_in_the_stream() -> None:
    one = head()
    data = heartbeat(one, REQUEST) + stream_error(one, ProxyError(ErrorKind.OVERLOADED, "Full."))
    assert kinds(decoded(data)) == ["created", "in_progress", "failed"]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
EVENTS = st.lists(
    st.one_of(
        st.builds(Delta, TEXT),
        st.builds(Reasoning, TEXT),
        st.builds(Refusal, TEXT),
        st.builds(Carry, st.just("k"), st.just("c"), TEXT),
        st.builds(Image, st.just("data:image/png;base64,AA")),
        st.builds(ToolDelta, st.integers(0, 2), st.sampled_from(["{}", '{"input":', '"x"}', ""])),
        st.builds(ToolDelta, st.integers(0, 2), TEXT, st.just("c"), st.sampled_from(["rg", "ApplyPatch"])),
        st.builds(Delta, TEXT, st.just(1)),
    ),
    max_size=12,
)


@given(EVENTS, st.sampled_from(["stop", "length", "tool_calls"]))
def test_every_item_is_opened_grown_and_closed_once(events: list[Event], reason: str) -> None:
    found = stream([*events, Finish(reason)])
    open_items: dict[int, Json] = {}
    closed: list[Json] = []
    for event in found[2:-1]:
        index = event["output_index"]
        if event["type"] == "response.output_item.added":
            assert index == len(open_items) + len(closed)
            open_items[index] = event["item"]
        elif event["type"] == "response.output_item.done":
            assert open_items.pop(index)["id"] == event["item"]["id"]
            closed.append(event["item"])
        else:
            assert open_items[index]["id"] == event["item_id"]
    assert not open_items
    assert (
        sorted(closed, key=lambda item: int(item["id"].rpartition("_")[2])) == found[-1]["response"]["output"]
    )
