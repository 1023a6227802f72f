"""Tools, their names on both sides, and the choice among them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest, Json, ToolChoice
from fastproxy.wire.anthropic.models import model_named
from fastproxy.wire.anthropic.tools import ToolFields, declare_used, force_answer, tool_fields, wire_names


def tool(name: str, **more: object) -> Json:
    return {"type": "function", "function": {"name": name, **more}}


def fields(
    choice: ToolChoice | None = None, model: str = "claude-sonnet-4-5", **parameters: object
) -> ToolFields:
    tools = (tool("a"), tool("b"), tool("c"))
    request = ChatRequest("m", (), tools=tools, tool_choice=choice, parameters=parameters)
    return tool_fields(request, model_named(model), wire_names(tools))


@pytest.mark.parametrize(
    ("choice", "sent", "offered"),
    [
        (None, None, "abc"),
        (ToolChoice("auto"), {"type": "auto"}, "abc"),
        (ToolChoice("none"), {"type": "none"}, "abc"),
        (ToolChoice("required"), {"type": "any"}, "abc"),
        (ToolChoice("required", ("b",)), {"type": "tool", "name": "b"}, "abc"),
        (ToolChoice("required", ("c", "a")), {"type": "any"}, "ac"),
        (ToolChoice("auto", ("b",)), {"type": "auto"}, "b"),
    ],
)
def test_choices(choice: ToolChoice | None, sent: Json | None, offered: str) -> None:
    built = fields(choice)
    assert built.choice == sent
    assert "".join(tool["name"] for tool in built.tools) == offered


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("required"), {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("none"), {"type": "none"}),
    ],
)
def test_parallel_calls_can_be_forbidden(choice: ToolChoice | None, sent: Json) -> None:
    assert fields(choice, parallel_tool_calls=False).choice == sent
    assert fields(choice, parallel_tool_calls=True).choice == fields(choice).choice


def test_models_that_cannot_be_forced_choose_freely() -> None:
    built = fields(ToolChoice("required", ("b",)), "claude-opus-5-5")
    assert built.choice == {"type": "auto"}
    assert [lost.param for lost in built.dropped] == ["tool_choice"]


def test_a_choice_of_an_unknown_tool_is_refused() -> None:
    with pytest.raises(ProxyError) as raised:
        fields(ToolChoice("required", ("z",)))
    assert raised.value.param == "tool_choice"


def test_a_choice_without_tools_means_nothing() -> None:
    built = tool_fields(ChatRequest("m", (), tool_choice=ToolChoice("required")), model_named("opus"), {})
    assert (built.tools, built.choice) == ([], None)


def test_a_tool_without_a_name_is_refused() -> None:
    tools = ({"type": "function", "function": {}},)
    with pytest.raises(ProxyError) as raised:
        tool_fields(ChatRequest("m", (), tools=tools), model_named("opus"), wire_names(tools))
    assert raised.value.param == "tools[0].function.name"


def strict_tools(count: int, model: str) -> ToolFields:
    tools = tuple(tool(f"t{index}", strict=True) for index in range(count))
    return tool_fields(ChatRequest("m", (), tools=tools), model_named(model), wire_names(tools))


def test_strict_tools_are_closed() -> None:
    assert strict_tools(1, "claude-sonnet-4-5").tools == [
        {
            "name": "t0",
            "strict": True,
            "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
        }
    ]


@pytest.mark.parametrize(("count", "model"), [(1, "claude-sonnet-4-0"), (21, "claude-sonnet-4-5")])
def test_strictness_is_dropped_where_it_would_be_refused(count: int, model: str) -> None:
    built = strict_tools(count, model)
    assert not any("strict" in tool for tool in built.tools)
    assert [lost.param for lost in built.dropped] == ["tools.strict"]


def test_a_tool_called_twice_in_the_list_is_named_alike() -> None:
    assert wire_names([tool("a.b"), tool("a_b"), tool("a.b")]) == {"a.b": "a_b", "a_b": "a_b_2"}


@given(st.lists(st.text(max_size=150), unique=True, max_size=5))
def test_names_are_legal_and_unique(names: list[str]) -> None:
    ours = list(wire_names([tool(name) for name in names]).values())
    assert len(set(ours)) == len(names)
    assert all(1 <= len(name) <= 128 and name.replace("-", "_").replace("_", "a").isalnum() for name in ours)
    assert all(name.isascii() for name in ours)


def test_the_answer_tool_stands_alone_or_beside_the_clients() -> None:
    alone, beside = ToolFields(), fields(ToolChoice("auto"))
    force_answer(alone, {"type": "object"}, "d")
    force_answer(beside, {"type": "object"}, "d")
    assert alone.choice == {"type": "tool", "name": "_structured_answer"}
    assert beside.choice == {"type": "any"}
    assert [tool["name"] for tool in beside.tools] == ["a", "b", "c", "_structured_answer"]


def test_tools_of_the_history_are_declared_where_none_are_offered() -> None:
    built = ToolFields()
    declare_used(built, ["f"])
    assert built.tools == [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
    assert built.choice == {"type": "none"}
    offered = fields()
    declare_used(offered, ["f"])
    assert len(offered.tools) == 3
