"""The demo provider: a model for every case that a client should be tried against."""

from __future__ import annotations

from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.providers.demo import DEMO_MODELS, demo_events
from fastproxy.providers.demo_arguments import example_arguments
from fastproxy.types import ChatRequest, Json, ToolChoice
from fastproxy.wire.events import Completion, Delta, Fault, Usage, complete

SCHEMA: Json = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 6},
        "mode": {"enum": ["a", "b"]},
        "count": {"type": "integer", "minimum": 3},
        "when": {"type": "string", "format": "date-time"},
        "boss": {"$ref": "#/$defs/Boss"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        "maybe": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "flags": {"type": ["boolean", "null"]},
        "left_out": {"type": "string"},
    },
    "required": ["path", "mode", "count", "when", "boss", "tags", "maybe", "flags"],
    "$defs": {"Boss": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
}
TOOLS = tuple({"type": "function", "function": {"name": n, "parameters": SCHEMA}} for n in ("Read", "Write"))


def ask(model: str, text: str = "say  hello\nworld ", **fields: Any) -> ChatRequest:
    return ChatRequest(model, fields.pop("messages", ({"role": "user", "content": text},)), **fields)


def answer(request: ChatRequest, model: str = "") -> Completion:
    return complete(event for _delay, event in demo_events(request, model))


def test_echo_says_what_was_said_word_by_word_at_once() -> None:
    events = list(demo_events(ask("demo-echo")))
    assert [event.text for _delay, event in events if isinstance(event, Delta)] == [
        "say",
        "  hello",
        "\nworld",
        " ",
    ]
    assert {delay for delay, _event in events} == {0.0}
    assert events[-1][1] == Usage(3, 3, 6)


def test_the_deployments_model_decides_when_the_client_used_another_name() -> None:
    assert answer(ask("my-alias"), "demo-echo").choices[0].text == "say  hello\nworld "
    assert answer(ask("demo/demo-echo")).choices[0].text == "say  hello\nworld "


def test_chat_tells_what_it_can_do_and_slow_takes_a_second_a_word() -> None:
    assert "demo-tools" in (answer(ask("demo-chat")).choices[0].text or "")
    assert {delay for delay, event in demo_events(ask("demo-slow")) if isinstance(event, Delta)} == {1.0}


def test_tools_calls_the_first_tool_with_arguments_that_fit() -> None:
    (choice,) = answer(ask("demo-tools", tools=TOOLS)).choices
    (call,) = choice.tool_calls
    assert (call.name, choice.finish_reason) == ("Read", "tool_calls")
    jsonschema.validate(orjson.loads(call.arguments), SCHEMA)
    assert "left_out" not in orjson.loads(call.arguments)
    forced = answer(ask("demo-tools", tools=TOOLS, tool_choice=ToolChoice("required", ("Write",))))
    assert forced.choices[0].tool_calls[0].name == "Write"


def test_tools_answers_in_words_after_a_result_or_without_a_tool() -> None:
    result = {"role": "tool", "tool_call_id": "a", "content": "42"}
    assert "42" in (answer(ask("demo-tools", messages=(result,), tools=TOOLS)).choices[0].text or "")
    none = ask("demo-tools", tools=TOOLS, tool_choice=ToolChoice("none"))
    for request in (ask("demo-tools"), none):
        assert not answer(request).choices[0].tool_calls


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 429, 500, 503])
def test_error_models_raise_what_they_are_called(status: int) -> None:
    with pytest.raises(UpstreamError) as caught:
        demo_events(ask(f"demo-error-{status}"))
    assert caught.value.upstream_status == status
    assert (caught.value.retry_after is not None) == (status == 429)


def test_midstream_breaks_after_some_words() -> None:
    events = [event for _delay, event in demo_events(ask("demo-error-midstream"))]
    assert isinstance(events[0], Delta)
    assert isinstance(events[-1], Fault)


def test_an_unknown_demo_model_names_those_there_are() -> None:
    with pytest.raises(UpstreamError) as caught:
        demo_events(ask("demo-none"))
    assert caught.value.kind is ErrorKind.MODEL_NOT_FOUND
    assert "demo-echo" in caught.value.message


@pytest.mark.parametrize("model", DEMO_MODELS)
def test_every_listed_model_is_there(model: str) -> None:
    try:
        assert list(demo_events(ask(model)))
    except UpstreamError as error:
        assert model.removeprefix("demo-error-") == str(error.upstream_status)


NAMES = [
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "anyOf",
    "$ref",
    "default",
    "minItems",
    "minimum",
    "a",
]
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 20)
    | st.sampled_from(["object", "array", "string", "#/a", "a"])
)
schemas = st.recursive(
    VALUES,
    lambda s: st.lists(s, max_size=3) | st.dictionaries(st.sampled_from(NAMES), s, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(NAMES), schemas))
def test_any_schema_gives_an_object(schema: Json) -> None:
    try:
        assert isinstance(orjson.loads(example_arguments(schema)), dict)
    except ProxyError as error:
        assert error.status == 400
