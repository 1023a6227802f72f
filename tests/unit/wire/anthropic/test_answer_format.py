"""response_format, by what the model has."""

from __future__ import annotations

import pytest

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.anthropic.answer_format import apply_format, is_answer
from fastproxy.wire.anthropic.models import model_named
from fastproxy.wire.anthropic.tools import ToolFields

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WANTED = {"type": "json_schema", "json_schema": {"name": "n", "description": "A city.", "schema": SCHEMA}}


def apply(wanted: object, model: str, tools: ToolFields | None = None) -> tuple[Json | None, list[str]]:
    request = ChatRequest("m", (), parameters={"response_format": wanted})
    sent, dropped = apply_format(request, model_named(model), tools or ToolFields())
    return sent, [lost.param for lost in dropped]


def test_structured_outputs_where_the_model_has_them() -> None:
    closed = {**SCHEMA, "additionalProperties": False}
    assert apply(WANTED, "claude-sonnet-4-5") == ({"type": "json_schema", "schema": closed}, [])


def test_older_models_are_made_to_call_a_tool() -> None:
    tools = ToolFields()
    assert apply(WANTED, "claude-3-5-haiku-latest", tools) == (None, [])
    assert tools.tools == [{"name": "_structured_answer", "description": "A city.", "input_schema": SCHEMA}]
    assert tools.choice == {"type": "tool", "name": "_structured_answer"}


def test_a_forced_tool_call_wins_over_the_format() -> None:
    tools = ToolFields([{"name": "f"}], {"type": "any"})
    assert apply(WANTED, "claude-3-5-haiku-latest", tools) == (None, ["response_format"])
    assert tools.tools == [{"name": "f"}]


def test_plain_formats() -> None:
    assert apply({"type": "text"}, "opus") == (None, [])
    assert apply(None, "opus") == (None, [])
    assert apply({"type": "json_object"}, "opus") == (None, ["response_format"])


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "yaml"},
        "json",
        {},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"schema": 5}},
    ],
)
def test_unknown_formats_are_refused(wanted: object) -> None:
    with pytest.raises(ProxyError) as raised:
        apply(wanted, "opus")
    assert str(raised.value.param).startswith("response_format")


def test_the_answer_tool_is_known_only_where_a_schema_was_asked() -> None:
    asked = ChatRequest("m", (), parameters={"response_format": WANTED})
    assert is_answer(asked, "_structured_answer")
    assert not is_answer(asked, "f")
    assert not is_answer(ChatRequest("m", ()), "_structured_answer")
