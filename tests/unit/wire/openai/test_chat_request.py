"""`parse_chat`: the bodies of real clients come out in one shape, and wrong ones name the field."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import ChatRequest, Json, ToolChoice
from fastproxy.wire.openai.chat_request import parse_chat

CLIENTS = Path(__file__).parents[3] / "golden" / "clients"
CHAT = sorted(path.stem for path in CLIENTS.glob("*.json") if "responses" not in path.stem)
RESPONSES = sorted(path.stem for path in CLIENTS.glob("*responses*.json"))


def client(name: str) -> Json:
    body: Json = orjson.loads((CLIENTS / f"{name}.json").read_bytes())
    return body


def chat(**fields: Any) -> Json:
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}


def fault(body: Any) -> ProxyError:
    with pytest.raises(ProxyError) as caught:
        parse_chat(body)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return caught.value


def assert_canonical(request: ChatRequest) -> None:
    waiting: list[str] = []
    for message in request.messages:
        assert message["role"] in {"system", "developer", "user", "assistant", "tool"}
        content = message["content"]
        assert content is None or isinstance(content, str | list)
        if isinstance(content, list):
            assert all(isinstance(part["type"], str) for part in content)
        if message["role"] == "tool":
            assert isinstance(content, str)
            waiting.remove(message["tool_call_id"])
        else:
            assert not waiting
        for call in message.get("tool_calls", []):
            assert call["type"] == "function"
            assert isinstance(call["function"]["arguments"], str)
            assert call["function"]["name"]
            waiting.append(call["id"])
        waiting = list(dict.fromkeys(waiting))
    assert not waiting
    for tool in request.tools:
        assert tool["type"] == "function"
        assert isinstance(tool["function"]["name"], str)
        assert isinstance(tool["function"]["parameters"], dict)


@pytest.mark.parametrize("name", CHAT)
def test_bodies_of_real_clients_become_canonical_and_stay_unchanged(name: str) -> None:
    body = client(name)
    before = copy.deepcopy(body)
    request = parse_chat(body)
    assert_canonical(request)
    assert body == before
    assert request.model == body.get("model", "")
    assert request.stream is body.get("stream", False)


@pytest.mark.parametrize("name", RESPONSES)
def test_a_responses_body_is_read_as_one(name: str) -> None:
    body = client(name)
    before = copy.deepcopy(body)
    request = parse_chat(body)
    assert_canonical(request)
    assert body == before
    assert request.custom_tools in ({"ApplyPatch"}, {"apply_patch"})


def test_cursor_history_is_repaired() -> None:
    request = parse_chat(client("cursor_agent_after_tools"))
    assistant = request.messages[3]
    assert assistant["content"] is None
    assert len(assistant["tool_calls"]) == 2
    assert [message["content"] for message in request.messages if message["role"] == "tool"][1] == "1|# TODO"
    assert "tool_calls" not in request.messages[6]
    assert request.parameters["reasoning_effort"] == "high"
    assert request.extra == {}
    assert request.include_usage


def test_anthropic_blocks_become_calls_and_answers_in_order() -> None:
    request = parse_chat(client("cursor_anthropic_shape"))
    assert [message["role"] for message in request.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "user",
    ]
    _system, _user, assistant, answer, user = request.messages
    call = assistant["tool_calls"][0]
    assert call["function"] == {"name": "LS", "arguments": '{"path":"."}'}
    assert assistant["content"] == [{"type": "text", "text": "Looking."}]
    assert answer == {"role": "tool", "tool_call_id": call["id"], "content": "a.py\nb.py"}
    assert user["content"] == [{"type": "text", "text": "continue"}]
    assert (
        request.tools[0]["function"]["parameters"]
        == client("cursor_anthropic_shape")["tools"][0]["input_schema"]
    )
    assert request.tool_choice == ToolChoice("auto")


def test_mixed_tools_become_functions_and_hosted_ones_are_left_out() -> None:
    request = parse_chat(client("cursor_mixed_tools"))
    functions = {tool["function"]["name"]: tool["function"] for tool in request.tools}
    assert list(functions) == ["Read", "ApplyPatch", "NoType"]
    assert functions["ApplyPatch"]["parameters"]["required"] == ["input"]
    assert "start: X" in functions["ApplyPatch"]["parameters"]["properties"]["input"]["description"]
    assert functions["NoType"]["parameters"] == {"type": "object", "properties": {}}


def test_what_is_right_already_is_not_copied() -> None:
    body = client("openai_node_tools")
    request = parse_chat(body)
    assert request.messages[0] is body["messages"][0]
    assert request.tools[0] is body["tools"][0]


@pytest.mark.parametrize(
    ("choice", "parsed"),
    [
        ("auto", ToolChoice("auto")),
        ({"type": "auto"}, ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ({"type": "none"}, ToolChoice("none")),
        ("required", ToolChoice("required")),
        ("any", ToolChoice("required")),
        ({"type": "any"}, ToolChoice("required")),
        ({"type": "function", "function": {"name": "X"}}, ToolChoice("required", ("X",))),
        ({"type": "function", "name": "X"}, ToolChoice("required", ("X",))),
        ({"type": "tool", "name": "X"}, ToolChoice("required", ("X",))),
        ({"type": "custom", "name": "X"}, ToolChoice("required", ("X",))),
        ({"type": "custom", "custom": {"name": "X"}}, ToolChoice("required", ("X",))),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"name": "X"}]}, ToolChoice("auto", ("X",))),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "X"}}],
                },
            },
            ToolChoice("required", ("X",)),
        ),
        ({"type": "web_search_preview"}, ToolChoice("auto")),
    ],
)
def test_every_form_of_tool_choice_is_one_value(choice: Any, parsed: ToolChoice) -> None:
    tools = [{"type": "function", "function": {"name": "X", "parameters": {"type": "object"}}}]
    assert parse_chat(chat(tools=tools, tool_choice=choice)).tool_choice == parsed
    assert parse_chat(chat(tools=[], tool_choice=choice)).tool_choice is None


def test_old_functions_become_tools() -> None:
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a":1}'}},
        {"role": "function", "name": "f", "content": "ok"},
    ]
    function = {"name": "f", "parameters": {"type": "object"}}
    request = parse_chat({"messages": messages, "functions": [function], "function_call": {"name": "f"}})
    assert request.tool_choice == ToolChoice("required", ("f",))
    assert request.tools[0]["function"]["name"] == "f"
    assert_canonical(request)
    assert request.messages[2]["tool_call_id"] == request.messages[1]["tool_calls"][0]["id"]


def call(call_id: str, name: str = "f") -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}}


def test_a_call_without_an_answer_gets_one_and_an_answer_without_a_call_is_dropped() -> None:
    messages = [
        {"role": "tool", "tool_call_id": "lost", "content": "?"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "", "tool_calls": [call("a"), call("b")]},
        {"role": "tool", "tool_call_id": "b", "content": "B"},
        {"role": "user", "content": "go on"},
    ]
    request = parse_chat({"messages": messages})
    assert_canonical(request)
    assert [(m["role"], m["content"]) for m in request.messages[2:]] == [
        ("tool", "B"),
        ("tool", "(no output)"),
        ("user", "go on"),
    ]


def test_an_answer_that_comes_after_other_talk_takes_its_place() -> None:
    messages = [
        {"role": "assistant", "tool_calls": [call("a")]},
        {"role": "user", "content": "wait"},
        {"role": "tool", "tool_call_id": "a", "content": "A"},
    ]
    request = parse_chat({"messages": messages})
    assert [message["content"] for message in request.messages] == [None, "A", "wait"]


def test_images_in_a_tools_answer_follow_the_turn_as_a_user_message() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    messages = [
        {"role": "assistant", "tool_calls": [call("a"), call("b")]},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "see"}, picture]},
        {"role": "tool", "tool_call_id": "b", "content": "B"},
    ]
    request = parse_chat({"messages": messages})
    assert_canonical(request)
    assert request.messages[1]["content"] == "see"
    assert request.messages[3] == {"role": "user", "content": [picture]}


def test_content_parts_of_other_interfaces_become_chat_parts() -> None:
    parts = [
        "plain",
        {"type": "input_text", "text": "a"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        {"type": "input_image", "image_url": "https://x/z.png", "detail": "low"},
        {"type": "image_url", "image_url": "https://x/w.png"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
    ]
    request = parse_chat({"messages": [{"role": "user", "content": parts}]})
    assert request.messages[0]["content"] == [
        {"type": "text", "text": "plain"},
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
        {"type": "image_url", "image_url": {"detail": "low", "url": "https://x/z.png"}},
        {"type": "image_url", "image_url": {"url": "https://x/w.png"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}},
        {"type": "text", "text": "words"},
    ]


def test_thinking_blocks_become_reasoning_content() -> None:
    content = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "yes"}]
    request = parse_chat({"messages": [{"role": "assistant", "content": content}]})
    assert request.messages[0]["reasoning_content"] == "hm"
    assert request.messages[0]["content"] == [{"type": "text", "text": "yes"}]


def test_parameters_are_sorted_into_known_and_extra_without_nulls() -> None:
    request = parse_chat(
        chat(
            temperature=0, stop="END", top_p=None, top_k=3, thinking={"type": "enabled"}, max_output_tokens=7
        )
    )
    assert request.parameters == {"temperature": 0, "stop": ["END"], "max_completion_tokens": 7}
    assert request.extra == {"top_k": 3, "thinking": {"type": "enabled"}}
    assert request.max_output_tokens() == 7


def test_calls_without_id_or_string_arguments_are_repaired() -> None:
    calls = [{"function": {"name": "f", "arguments": {"a": 1}}}, {"function": {"name": "g"}}]
    request = parse_chat({"messages": [{"role": "assistant", "content": [], "tool_calls": calls}]})
    assert_canonical(request)
    first, second = request.messages[0]["tool_calls"]
    assert first["function"]["arguments"] == '{"a":1}'
    assert second["function"]["arguments"] == "{}"
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], "body"),
        ({}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        (chat(model=7), "model"),
        (chat(stream="yes"), "stream"),
        (chat(stream_options=[]), "stream_options"),
        (chat(stream_options={"include_usage": 1}), "stream_options.include_usage"),
        (chat(temperature="hot"), "temperature"),
        (chat(n=True), "n"),
        (chat(max_tokens="9"), "max_tokens"),
        (chat(stop=[1]), "stop[0]"),
        (chat(stop=7), "stop"),
        (chat(response_format={"type": "xml"}), "response_format.type"),
        (chat(response_format={"type": "json_schema"}), "response_format.json_schema"),
        (chat(tools={}), "tools"),
        (chat(tools=[7]), "tools[0]"),
        (chat(tools=[{"type": "function"}]), "tools[0].name"),
        (chat(tools=[{"type": "function", "function": {}}]), "tools[0].function.name"),
        (chat(tools=[{"type": "function", "function": 7}]), "tools[0].function"),
        (chat(tools=[{"type": "function", "name": "f", "parameters": 7}]), "tools[0].parameters"),
        (chat(tool_choice="maybe"), "tool_choice"),
        (chat(tool_choice=7), "tool_choice"),
        (chat(tools=[{"name": "f"}], tool_choice={"name": "g"}), "tool_choice"),
        ({"messages": [{"role": "wizard", "content": ""}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [7]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "assistant", "content": 7}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0].function"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": ""}}]}]},
            "messages[0].tool_calls[0].function.name",
        ),
    ],
)
def test_a_wrong_field_is_named(body: Any, param: str) -> None:
    error = fault(body)
    assert error.param == param
    assert f"`{param}`" in error.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
words = st.sampled_from(
    [
        "user",
        "assistant",
        "tool",
        "function",
        "text",
        "image",
        "input_text",
        "tool_use",
        "tool_result",
        "thinking",
        "document",
        "custom",
        "allowed_tools",
        "auto",
        "any",
        "name",
        "a",
        "input_image",
        "file",
        "input_audio",
        "refusal",
        "json_schema",
    ]
)
near_json = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | words,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "type",
                    "text",
                    "name",
                    "id",
                    "tool_calls",
                    "function",
                    "arguments",
                    "tool_call_id",
                    "tool_use_id",
                    "input",
                    "source",
                    "image_url",
                    "url",
                    "parameters",
                    "input_schema",
                    "tools",
                    "mode",
                    "function_call",
                    "custom",
                    "format",
                    "file",
                    "thinking",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=14,
)
fields = st.sampled_from(
    [
        "model",
        "messages",
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "functions",
        "function_call",
        "stop",
        "response_format",
        "temperature",
        "reasoning",
        "max_output_tokens",
        "system",
        "input",
        "n",
        "logit_bias",
        "other",
    ]
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(fields, json_values | near_json, max_size=6), st.lists(near_json, min_size=1, max_size=4)
)
def test_any_json_is_a_request_or_a_fault_of_the_client(body: Json, messages: list[Any]) -> None:
    for wanted in (body, {**body, "messages": messages}, chat(tools=messages)):
        before = copy.deepcopy(wanted)
        try:
            assert_canonical(parse_chat(wanted))
        except ProxyError as error:
            assert error.status == 400
            assert error.param
        assert wanted == before


def test_json_of_any_depth_is_answered() -> None:
    deep: Any = {}
    for _ in range(900):
        deep = {"a": deep}
    calls = [{"id": "a", "function": {"name": "f", "arguments": deep}}]
    with pytest.raises(ProxyError):
        parse_chat({"messages": [{"role": "assistant", "tool_calls": calls}]})
