"""Messages bodies of any shape become one chat request, or one 400 that names the field."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest, Json, ToolChoice
from fastproxy.wire.anthropic.message import SIGNATURE
from fastproxy.wire.anthropic.messages_request import outline, parse_messages_request

GOLDEN = Path(__file__).parents[3] / "golden" / "anthropic"
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}


def parse(*messages: Json, **fields: Any) -> ChatRequest:
    asked = messages or ({"role": "user", "content": "hi"},)
    return parse_messages_request({"model": "m", "max_tokens": 10, "messages": list(asked), **fields})


def user(*blocks: Json) -> Json:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks)}


def text(said: str, **more: Any) -> Json:
    return {"type": "text", "text": said, **more}


def use(call_id: str, **given: Any) -> Json:
    return {"type": "tool_use", "id": call_id, "name": "look", "input": given}


def result(call_id: str, content: object, **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def test_claude_codes_own_request() -> None:
    request = parse_messages_request(orjson.loads((GOLDEN / "client_claude_code.json").read_bytes()))
    assert (request.model, request.stream, request.include_usage) == ("claude-sonnet-4-5", True, True)
    assert request.messages == (
        {"role": "system", "content": [text("You are Claude Code, Anthropic's official CLI for Claude.")]},
        {"role": "user", "content": [text("<system-reminder>...</system-reminder>"), text("hi")]},
    )
    assert [tool["function"]["name"] for tool in request.tools] == ["Bash"]
    assert request.parameters == {"max_tokens": 32000, "user": request.parameters["user"]}
    assert "session_id" in request.parameters["user"]
    assert request.extra == {}


def test_a_tool_loop_keeps_its_ids_thoughts_and_images() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    request = parse(
        user(text("look")),
        assistant(
            {"type": "thinking", "thinking": "hm", "signature": SIGNATURE},
            {"type": "redacted_thinking", "data": "x"},
            text("I look.", citations=[]),
            use("call_1", at="a"),
            use("call_2"),
        ),
        user(
            result("call_1", [text("seen"), image]),
            result("call_2", None, cache_control={"type": "ephemeral"}),
            text("and?"),
        ),
        tools=[TOOL],
    )
    _, said, first, second, shown, asked = request.messages
    assert said["reasoning_content"] == "hm"
    assert said["content"] == [text("I look.")]
    assert [(call["id"], call["function"]["arguments"]) for call in said["tool_calls"]] == [
        ("call_1", '{"at":"a"}'),
        ("call_2", "{}"),
    ]
    assert first == {"role": "tool", "tool_call_id": "call_1", "content": "seen"}
    assert second == {"role": "tool", "tool_call_id": "call_2", "content": ""}
    assert shown["content"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    assert asked["content"] == [text("and?")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("no such file", "Error: no such file"),
        ([text("no such file")], "Error: no such file"),
        ("<tool_use_error>no such file</tool_use_error>", "<tool_use_error>no such file</tool_use_error>"),
        (None, "Error: "),
    ],
)
def test_a_tools_failure_is_told_in_words(content: object, told: str) -> None:
    request = parse(user(text("a")), assistant(use("c")), user(result("c", content, is_error=True)))
    assert request.messages[-1]["content"] == told


def test_what_anthropics_own_tools_did_is_left_out() -> None:
    request = parse(
        user(text("a")),
        assistant(
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            text("found"),
        ),
        user(text("b")),
        tools=[{"type": "web_search_20250305", "name": "web_search"}, TOOL],
        betas=["x"],
        context_management={"edits": []},
        mcp_servers=[],
    )
    assert request.messages[1]["content"] == [text("found")]
    assert [tool["function"]["name"] for tool in request.tools] == ["look"]
    assert request.extra == {}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
        ),
        (
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
                "cache_control": {"type": "ephemeral"},
            },
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        ),
        ({"type": "document", "source": {"type": "text", "data": "plain"}}, text("plain")),
        (
            {"type": "document", "source": {"type": "content", "content": [text("a"), text("b")]}},
            text("a\nb"),
        ),
        ({"type": "document", "source": {"type": "content", "content": None}}, text("")),
        (
            {"type": "search_result", "title": "T", "source": "https://x", "content": [text("found")]},
            text("T https://x\nfound"),
        ),
    ],
)
def test_blocks_of_a_user(block: Json, part: Json) -> None:
    assert parse(user(block)).messages[0]["content"] == [part]


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({}, None),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "disabled"}}, "none"),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, "none"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 31_999}}, "high"),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 31_999}, "output_config": {"effort": "low"}},
            "low",
        ),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}, "xhigh"),
    ],
)
def test_how_much_is_thought(fields: Json, effort: str | None) -> None:
    assert parse(**fields).parameters.get("reasoning_effort") == effort


@pytest.mark.parametrize(
    ("choice", "parsed", "serial"),
    [
        ({"type": "auto"}, ToolChoice("auto"), False),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), True),
        ({"type": "tool", "name": "look"}, ToolChoice("required", ("look",)), False),
        ({"type": "none"}, ToolChoice("none"), False),
    ],
)
def test_the_choice_among_tools(choice: Json, parsed: ToolChoice, serial: bool) -> None:
    request = parse(tools=[TOOL], tool_choice=choice)
    assert request.tool_choice == parsed
    assert (request.parameters.get("parallel_tool_calls") is False) is serial


def test_parameters_take_openais_names() -> None:
    schema = {"type": "object"}
    request = parse(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        stop_sequences=["a", "b"],
        metadata={"user_id": "u"},
        service_tier="auto",
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )
    assert request.parameters == {
        "max_tokens": 10,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["a", "b"],
        "user": "u",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": True},
        },
    }
    assert request.extra == {"top_k": 40}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "messages[0].role"),
        ({"messages": [user({"type": "image", "source": 1})]}, "messages[0].content[0].source"),
        ({"messages": [user({"type": "hologram"})]}, "messages[0].content[0].type"),
        ({"model": 1}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"stop_sequences": [1]}, "stop_sequences"),
        ({"thinking": "yes"}, "thinking"),
        ({"output_config": {"effort": 1}}, "reasoning_effort"),
        ({"metadata": []}, "metadata"),
        ({"tools": {}}, "tools"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "no"}}, "tool_choice"),
    ],
)
def test_a_wrong_field_is_named(fields: Json, param: str) -> None:
    with pytest.raises(ProxyError) as raised:
        parse(**fields)
    assert (raised.value.status, raised.value.param) == (400, param)


def test_an_outline_reads_the_model_and_the_stream_flag_alone() -> None:
    body = {"model": "claude-x", "stream": True, "messages": [{"role": "a new one"}]}
    assert outline(body) == ChatRequest("claude-x", (), stream=True)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
BLOCKS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["text", "tool_use", "tool_result", "image", "document", "search_result", "thinking"]
        )
    },
    optional=dict.fromkeys(
        ("text", "source", "content", "input", "id", "tool_use_id", "name", "is_error", "thinking"), VALUES
    ),
)
BODIES = st.fixed_dictionaries(
    {
        "messages": VALUES
        | st.lists(
            st.fixed_dictionaries(
                {
                    "role": st.sampled_from(["user", "assistant"]),
                    "content": st.lists(BLOCKS | VALUES, max_size=3),
                }
            ),
            max_size=3,
        )
    },
    optional=dict.fromkeys(
        (
            "model",
            "system",
            "tools",
            "tool_choice",
            "thinking",
            "metadata",
            "stop_sequences",
            "output_config",
            "stream",
            "temperature",
        ),
        VALUES,
    ),
)


@given(BODIES)
def test_no_body_is_too_strange_and_none_is_changed(body: Json) -> None:
    before = copy.deepcopy(body)
    try:
        parse_messages_request(body)
    except ProxyError as error:
        assert error.status == 400
    assert body == before
