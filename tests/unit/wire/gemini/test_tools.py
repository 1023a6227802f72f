"""Tools on their way out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest, ToolChoice
from fastproxy.wire.gemini.model import read_model
from fastproxy.wire.gemini.tools import LEGACY_SCHEMA, ToolNames, declarations, tool_config

LEGAL = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")


def tool(name: str, parameters: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters, **more}}


def declared(
    *tools: dict[str, Any], model: str = "gemini-2.5-flash", repairs: tuple[str, ...] = ()
) -> list[Any]:
    request = ChatRequest("m", (), tools=tools, repairs=repairs)
    return declarations(request, read_model(model), ToolNames(tools))


def configured(choice: ToolChoice | None, *names: str) -> Any:
    tools = tuple(tool(name) for name in names)
    return tool_config(ChatRequest("m", (), tools=tools, tool_choice=choice), ToolNames(tools))


@given(st.lists(st.text(min_size=1, max_size=90), min_size=1, max_size=6, unique=True))
def test_every_name_becomes_legal_and_unique_and_comes_back(names: list[str]) -> None:
    mapping = ToolNames(tuple(tool(name) for name in names))
    sent = [mapping.to_gemini(name) for name in names]
    assert all(LEGAL.fullmatch(name) for name in sent)
    assert len(set(sent)) == len(sent)
    assert [mapping.to_client(name) for name in sent] == names


def test_a_legal_name_is_not_changed() -> None:
    assert ToolNames((tool("mcp.read:file-2"),)).to_gemini("mcp.read:file-2") == "mcp.read:file-2"


def test_a_name_that_is_no_longer_declared_is_made_legal_all_the_same() -> None:
    assert ToolNames(()).to_gemini("2nd tool") == "_2nd_tool"


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object"}, {"type": "object", "properties": {}}])
def test_a_tool_without_parameters_declares_none(parameters: Any) -> None:
    assert declared(tool("ping", parameters)) == [{"name": "ping"}]


def test_parameters_go_as_json_schema_and_are_an_object() -> None:
    schema = {"properties": {"q": {"type": "string"}}, "$schema": "http://json-schema.org/draft-07/schema#"}
    assert declared(tool("search", schema, description="Find", strict=True)) == [
        {
            "name": "search",
            "description": "Find",
            "parametersJsonSchema": {"type": "object", "properties": {"q": {"type": "string"}}},
        }
    ]


@pytest.mark.parametrize(("model", "repairs"), [("gemini-1.5-pro", ()), ("gemini-2.5-pro", (LEGACY_SCHEMA,))])
def test_old_models_and_the_repair_use_the_older_dialect(model: str, repairs: tuple[str, ...]) -> None:
    schema = {"type": "object", "properties": {"q": {"type": ["string", "null"]}}}
    assert declared(tool("search", schema), model=model, repairs=repairs) == [
        {
            "name": "search",
            "parameters": {"type": "OBJECT", "properties": {"q": {"type": "STRING", "nullable": True}}},
        }
    ]


def test_of_two_tools_with_one_name_the_first_is_declared() -> None:
    assert declared(tool("a", description="1"), tool("a", description="2")) == [
        {"name": "a", "description": "1"}
    ]


def test_a_tool_without_a_name_is_the_clients_fault() -> None:
    with pytest.raises(ProxyError, match=r"tools\[0\]"):
        declared({"type": "function", "function": {}})


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (None, None),
        (ToolChoice("auto"), None),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("required", ("b c",)), {"mode": "ANY", "allowedFunctionNames": ["b_c"]}),
        (ToolChoice("auto", ("a", "gone")), {"mode": "VALIDATED", "allowedFunctionNames": ["a"]}),
    ],
)
def test_each_tool_choice_has_its_mode(choice: ToolChoice | None, config: Any) -> None:
    assert configured(choice, "a", "b c") == (config and {"functionCallingConfig": config})


@pytest.mark.parametrize("choice", [ToolChoice("required", ("gone",)), ToolChoice("maybe")])
def test_a_choice_that_means_nothing_is_a_fault(choice: ToolChoice) -> None:
    with pytest.raises(ProxyError) as caught:
        configured(choice, "a")
    assert caught.value.param == "tool_choice"
