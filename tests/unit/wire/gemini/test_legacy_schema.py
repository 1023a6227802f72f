"""The older Schema dialect."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fastproxy.wire.gemini.legacy_schema import legacy_parameters, legacy_schema
from fastproxy.wire.gemini.schema import json_schema


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
        ({"type": "integer", "enum": [1, 2]}, {"type": "INTEGER", "description": "(one of: 1, 2)"}),
        ({"type": "array"}, {"type": "ARRAY", "items": {"type": "STRING"}}),
        ({"type": "object", "additionalProperties": False}, {"type": "OBJECT"}),
        ({"type": "string", "format": "uri"}, {"type": "STRING"}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        (
            {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}], "description": "D"},
            {
                "anyOf": [
                    {"nullable": True, "description": "D", "type": "STRING"},
                    {"nullable": True, "description": "D", "type": "NUMBER"},
                ]
            },
        ),
        ({"type": "null"}, {"type": "STRING", "nullable": True}),
        (
            {"anyOf": [{"type": "null"}], "description": "D"},
            {"type": "STRING", "nullable": True, "description": "D"},
        ),
        (
            {"anyOf": [{"oneOf": [{"type": "string"}, {"type": "number"}]}, {"type": "null"}]},
            {"anyOf": [{"nullable": True, "type": "STRING"}, {"nullable": True, "type": "NUMBER"}]},
        ),
        (
            {"type": "array", "prefixItems": [{"type": "number"}, {"type": "string"}]},
            {"type": "ARRAY", "items": {"type": "NUMBER"}},
        ),
        ({}, {"type": "STRING"}),
    ],
)
def test_a_node_is_written_in_the_dialect(schema: dict[str, Any], written: dict[str, Any]) -> None:
    assert legacy_schema(json_schema(schema)) == written


def test_references_are_written_out() -> None:
    schema = {
        "$defs": {"P": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
        "type": "object",
        "properties": {"points": {"type": "array", "items": {"$ref": "#/$defs/P"}}},
    }
    assert legacy_schema(json_schema(schema))["properties"]["points"]["items"] == {
        "type": "OBJECT",
        "properties": {"x": {"type": "NUMBER"}},
        "required": ["x"],
    }


def test_a_cycle_ends_in_an_object_that_names_it() -> None:
    schema = {
        "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
        "$ref": "#/$defs/Node",
    }
    written = legacy_schema(json_schema(schema))
    assert written["properties"]["next"] == {"type": "OBJECT", "description": "A nested Node."}


def test_doubling_definitions_stay_bounded() -> None:
    definitions: dict[str, Any] = {
        f"D{level}": {
            "type": "object",
            "properties": {f"p{n}": {"$ref": f"#/$defs/D{level + 1}"} for n in range(12)},
        }
        for level in range(8)
    }
    definitions["D8"] = {"type": "string"}
    written = legacy_schema(json_schema({"$defs": definitions, "$ref": "#/$defs/D0"}))
    assert len(orjson.dumps(written)) < 1_000_000


def test_parameters_are_an_object_with_properties_or_left_out() -> None:
    choice = {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"type": "string"}}}]}
    assert legacy_parameters(json_schema(choice)) is not None
    assert legacy_parameters(json_schema({"type": "object", "properties": {}})) is None
    assert legacy_parameters(json_schema({"type": "string"})) is None
