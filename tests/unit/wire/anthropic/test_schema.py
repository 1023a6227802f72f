"""Schemas as Claude takes them."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ProxyError
from fastproxy.types import Json
from fastproxy.wire.anthropic.schema import closed_schema, input_schema

TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"type": ["object", "null"], "properties": None}, {"type": "object", "properties": {}}),
        (
            {
                "oneOf": [
                    {"properties": {"a": TEXT}, "required": ["a"]},
                    {"properties": {"b": TEXT}, "required": ["b"]},
                ]
            },
            {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": []},
        ),
        (
            {
                "allOf": [
                    {"properties": {"a": TEXT}, "required": ["a"]},
                    {"properties": {"b": TEXT}, "required": ["b"]},
                ]
            },
            {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a", "b"]},
        ),
        (
            {"$ref": "#/$defs/T", "$defs": {"T": {"type": "object", "properties": {"a": TEXT}}}},
            {
                "type": "object",
                "properties": {"a": TEXT},
                "$defs": {"T": {"type": "object", "properties": {"a": TEXT}}},
            },
        ),
    ],
)
def test_a_tools_root_is_one_object(parameters: Json | None, expected: Json) -> None:
    assert input_schema(parameters, "x") == expected


def test_combinators_below_the_root_stay() -> None:
    schema = {"type": "object", "properties": {"a": {"anyOf": [TEXT, {"type": "null"}]}}}
    assert input_schema(schema, "x") == schema


def test_a_circular_root_ends() -> None:
    empty = {"type": "object", "properties": {}}
    assert input_schema({"$ref": "#"}, "x") == empty
    assert (
        input_schema({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "x").items()
        >= empty.items()
    )


def test_a_property_called_like_a_keyword_stays() -> None:
    schema = {
        "type": "object",
        "properties": {"minimum": TEXT, "properties": {"type": "object", "properties": {}}},
    }
    closed = closed_schema(schema, "x")
    assert closed["properties"]["minimum"] == TEXT
    assert closed["properties"]["properties"]["additionalProperties"] is False


def test_closed_schemas_tell_what_they_lost() -> None:
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "description": "A number", "minimum": 1, "maximum": 9},
            "l": {"type": "array", "minItems": 3, "items": {"type": "object", "properties": {}}},
            "u": {"anyOf": [{"type": "object"}, {"type": "null"}]},
        },
        "additionalProperties": {"type": "string"},
        "$defs": {"D": {"type": "object"}},
    }
    assert closed_schema(schema, "x") == {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "description": "A number (minimum: 1, maximum: 9)"},
            "l": {
                "type": "array",
                "description": "(minItems: 3)",
                "items": {"type": "object", "properties": {}, "additionalProperties": False},
            },
            "u": {"anyOf": [{"type": "object", "additionalProperties": False}, {"type": "null"}]},
        },
        "additionalProperties": False,
        "$defs": {"D": {"type": "object", "additionalProperties": False}},
    }


@pytest.mark.parametrize("schema", [5, "x", [1]])
def test_a_schema_of_a_wrong_type_is_refused(schema: object) -> None:
    for build in (input_schema, closed_schema):
        with pytest.raises(ProxyError) as raised:
            build(schema, "tools[0].function.parameters")
        assert raised.value.param == "tools[0].function.parameters"


def test_an_endless_schema_is_refused() -> None:
    schema: Json = {}
    for _ in range(500):
        schema = {"properties": {"a": schema}}
    with pytest.raises(ProxyError):
        closed_schema(schema, "x")


keys = st.sampled_from(
    ["type", "properties", "required", "anyOf", "allOf", "$ref", "$defs", "items", "minimum", "a"]
)
values = st.recursive(
    st.none() | st.integers(0, 2) | st.sampled_from(["object", "#/$defs/a", "#/a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
)


@given(st.dictionaries(keys, values, max_size=6))
def test_any_object_is_a_legal_input_schema(schema: Json) -> None:
    before = copy.deepcopy(schema)
    built = input_schema(schema, "x")
    assert built["type"] == "object"
    assert isinstance(built["properties"], dict)
    assert not built.keys() & {"anyOf", "oneOf", "allOf", "$ref"}
    closed_schema(built, "x")
    assert schema == before
