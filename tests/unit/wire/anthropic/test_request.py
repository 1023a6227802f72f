"""The whole body: golden, and held against the types of Anthropic's own SDK."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest
from anthropic.types import MessageCreateParams
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import ChatRequest, Json, ToolChoice
from fastproxy.wire.anthropic.request import messages_body
from fastproxy.wire.anthropic.values import encode

GOLDEN = Path(__file__).parents[3] / "golden" / "anthropic"
ORACLE: TypeAdapter[object] = TypeAdapter(MessageCreateParams)
KNOWN_KEYS = {*MessageCreateParamsStreaming.__annotations__, "temperature", "top_p", "top_k"}
"""The SDK's typed parameters, and the older ones that the API still takes."""
USER = ({"role": "user", "content": "hi"},)
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def validate(sent: Json) -> None:
    """Hold the body against the SDK's types; pydantic checks an Iterable only while it is read."""
    waiting = [ORACLE.validate_python(sent)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, Iterable) and not isinstance(value, str):
            waiting += value


def chat(
    messages: tuple[Json, ...] = USER, *, extra: Json | None = None, **parameters: object
) -> ChatRequest:
    return ChatRequest("m", messages, parameters=parameters, extra=extra or {})


def body(request: ChatRequest, model: str = "claude-sonnet-4-5") -> Json:
    return messages_body(request, model).body


def test_golden_agent_request() -> None:
    golden = orjson.loads((GOLDEN / "request_agent.json").read_bytes())
    sent = golden["openai"]
    parameters = {key: sent[key] for key in sent.keys() - {"messages", "tools", "stream"}}
    request = ChatRequest(
        "m", tuple(sent["messages"]), stream=True, tools=tuple(sent["tools"]), parameters=parameters
    )
    built, dropped = messages_body(request, golden["model"])
    assert built == golden["upstream"]
    assert sorted(lost.param for lost in dropped) == sorted(golden["dropped"])
    validate(orjson.loads(encode(built)))


def test_the_oracle_reads_the_whole_body() -> None:
    with pytest.raises(ValidationError):
        broken = {"role": "user", "content": [{"type": "text"}]}
        validate({"model": "m", "max_tokens": 1, "messages": [broken]})


def test_max_tokens_is_always_sent() -> None:
    assert body(chat())["max_tokens"] == 32_000
    assert body(chat(), "claude-3-haiku-20240307")["max_tokens"] == 4_096
    assert body(chat(max_tokens=5, max_completion_tokens=9))["max_tokens"] == 9


def test_a_native_budget_gets_room_for_the_answer() -> None:
    built = body(chat(extra={"thinking": {"type": "enabled", "budget_tokens": 50_000}}))
    assert built["max_tokens"] == 82_000


def test_native_fields_are_passed_on() -> None:
    extra = {
        "top_k": 5,
        "cache_control": {"type": "ephemeral"},
        "container": "c",
        "inference_geo": "us",
        "output_config": {"effort": "low"},
        "someone_elses": 1,
    }
    built = body(chat(extra=extra))
    assert {key: built.get(key) for key in extra} == {**extra, "someone_elses": None}


def test_a_forced_tool_wins_over_a_thinking_budget() -> None:
    request = ChatRequest(
        "m", USER, tools=(TOOL,), tool_choice=ToolChoice("required"), parameters={"reasoning_effort": "low"}
    )
    built, dropped = messages_body(request, "claude-sonnet-4-5")
    assert (built["thinking"], built["tool_choice"]) == ({"type": "disabled"}, {"type": "any"})
    assert [lost.param for lost in dropped] == ["reasoning_effort"]
    assert messages_body(request, "claude-opus-4-8").body["thinking"]["type"] == "adaptive"


def loop(*, thoughts: bool) -> tuple[Json, ...]:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    blocks = [{"type": "thinking", "thinking": "t", "signature": "s"}]
    return (
        *USER,
        {"role": "assistant", "tool_calls": [call], **({"thinking_blocks": blocks} if thoughts else {})},
        {"role": "tool", "tool_call_id": "c1", "content": "r"},
    )


def test_a_signed_tool_loop_goes_on_thinking() -> None:
    built = body(chat(loop(thoughts=True), reasoning_effort="low"))
    assert built["thinking"] == {"type": "enabled", "budget_tokens": 2_048}
    assert [block["type"] for block in built["messages"][1]["content"]] == ["thinking", "tool_use"]


def test_a_tool_loop_without_its_thoughts_is_finished_without_thinking() -> None:
    built, dropped = messages_body(chat(loop(thoughts=False), reasoning_effort="low"), "claude-sonnet-4-5")
    assert built["thinking"] == {"type": "disabled"}
    assert [lost.param for lost in dropped] == ["reasoning_effort"]


def test_a_closed_loop_without_thoughts_does_not_stop_thinking() -> None:
    closed = (*loop(thoughts=False), {"role": "assistant", "content": "done"}, *USER)
    assert body(chat(closed, reasoning_effort="low"))["thinking"]["type"] == "enabled"


def test_remembered_thoughts_come_back_first() -> None:
    blocks = [{"type": "redacted_thinking", "data": "d"}]
    request = ChatRequest(
        "m",
        loop(thoughts=False),
        parameters={"reasoning_effort": "high"},
        recalled={("anthropic.thinking", "c1"): blocks},
    )
    assert body(request)["messages"][1]["content"][0] == blocks[0]


def test_thoughts_are_not_sent_where_the_model_does_not_think() -> None:
    quiet = body(chat(loop(thoughts=True)))
    disabled = body(chat(loop(thoughts=True), reasoning_effort="none"), "claude-opus-4-8")
    assert [block["type"] for block in quiet["messages"][1]["content"]] == ["tool_use"]
    assert [block["type"] for block in disabled["messages"][1]["content"]] == ["tool_use"]
    default = body(chat(loop(thoughts=True)), "claude-sonnet-5")
    assert [block["type"] for block in default["messages"][1]["content"]] == ["thinking", "tool_use"]


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-4-8", "claude-fable-5"])
def test_the_repair_takes_all_thinking_out(model: str) -> None:
    request = ChatRequest(
        "m",
        loop(thoughts=True),
        parameters={"reasoning_effort": "high"},
        repairs=("anthropic.no_thinking",),
    )
    built = body(request, model)
    assert built.get("thinking", {"type": "disabled"}) == {"type": "disabled"}
    assert [block["type"] for block in built["messages"][1]["content"]] == ["tool_use"]


def test_web_search_becomes_the_server_tool() -> None:
    place = {"type": "approximate", "approximate": {"city": "Bern"}}
    built = body(chat(web_search_options={"user_location": place}))
    assert built["tools"] == [
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "user_location": {"city": "Bern", "type": "approximate"},
        }
    ]


def test_endless_nesting_is_the_clients_fault() -> None:
    deep: object = {}
    for _ in range(400):
        deep = {"a": deep}
    with pytest.raises(ProxyError) as raised:
        encode(body(chat(extra={"container": deep})))
    assert raised.value.kind is ErrorKind.INVALID_REQUEST


scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 3) | st.text(max_size=6)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
texts = st.text(max_size=8) | st.sampled_from(["", " ", "\n", "hi"])
parts = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, texts),
    st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}),
    st.just({"type": "file", "file": {"file_data": "data:text/plain;base64,aGk=", "filename": "a.txt"}}),
)
contents = st.none() | texts | st.lists(parts, max_size=3)
ids = st.sampled_from(["a", "b:1", "é", ""])
calls = st.builds(
    lambda id_, name, arguments: {
        "id": id_,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    },
    ids,
    st.sampled_from(["f", "g.h"]),
    st.sampled_from(["{}", "", "[1]", "null", '{"x": 1}', "{broken"]),
)
messages = st.one_of(
    st.builds(
        lambda role, text: {"role": role, "content": text}, st.sampled_from(["system", "developer"]), texts
    ),
    st.builds(lambda content: {"role": "user", "content": content}, contents),
    st.builds(
        lambda text, made: {"role": "assistant", "content": text, "tool_calls": made},
        st.none() | texts,
        st.lists(calls, max_size=3),
    ),
    st.builds(lambda id_, content: {"role": "tool", "tool_call_id": id_, "content": content}, ids, contents),
)
schemas = st.fixed_dictionaries(
    {
        "type": st.just("object"),
        "properties": st.dictionaries(st.text(max_size=4), st.just({"type": "string"})),
    }
)
requests = st.builds(
    lambda talk, tools, choice, parameters: ChatRequest(
        "m",
        (*talk, *USER),
        tools=tuple(
            {"type": "function", "function": {"name": name, "parameters": schema, "strict": strict}}
            for name, schema, strict in tools
        ),
        tool_choice=ToolChoice(choice) if choice else None,
        parameters=parameters,
    ),
    st.lists(messages, max_size=8),
    st.lists(
        st.tuples(st.sampled_from(["f", "g.h", "g_h", "x" * 200]), st.none() | schemas, st.booleans()),
        max_size=3,
        unique_by=lambda tool: tool[0],
    ),
    st.sampled_from(["", "auto", "none", "required"]),
    st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.floats(0, 2),
            "top_p": st.floats(0, 1),
            "stop": st.lists(texts, max_size=3),
            "max_tokens": st.integers(1, 40_000),
            "reasoning_effort": st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
            "parallel_tool_calls": st.booleans(),
            "user": texts,
            "service_tier": st.sampled_from(["auto", "default", "flex", "priority"]),
            "seed": st.integers(),
            "response_format": st.sampled_from(
                [
                    {"type": "text"},
                    {"type": "json_object"},
                    {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
                ]
            ),
        },
    ),
)
models = st.sampled_from(
    [
        "claude-3-haiku-20240307",
        "claude-opus-4-1",
        "claude-sonnet-4-5",
        "claude-opus-4-6",
        "claude-fable-5",
        "opus",
    ]
)


@given(requests, models)
def test_every_body_is_what_anthropics_sdk_would_send(request: ChatRequest, model: str) -> None:
    before = copy.deepcopy(request)
    first = messages_body(request, model)
    sent = orjson.loads(encode(first.body))
    validate(sent)
    assert sent.keys() <= KNOWN_KEYS
    assert first == messages_body(request, model)
    assert request == before
    thinking = sent.get("thinking", {})
    if thinking.get("type") == "enabled":
        assert 1_024 <= thinking["budget_tokens"] < sent["max_tokens"]
        assert "temperature" not in sent


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "thinking_blocks"]), anything)
    ),
    st.dictionaries(
        st.sampled_from(["stop", "temperature", "response_format", "metadata", "modalities"]), anything
    ),
    st.dictionaries(st.sampled_from(["thinking", "output_config", "top_k", "speed"]), anything),
)
def test_wrong_types_are_refused_as_the_clients_fault(
    talk: list[Json], parameters: Json, extra: Json
) -> None:
    try:
        encode(body(ChatRequest("m", tuple(talk), parameters=parameters, extra=extra)))
    except ProxyError as error:
        assert error.status == 400
