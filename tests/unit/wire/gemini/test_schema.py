"""Any JSON Schema becomes one in Gemini's subset, and one of the older dialect."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from fastproxy.wire.gemini.legacy_schema import legacy_parameters, legacy_schema
from fastproxy.wire.gemini.schema import json_schema

ALLOWED = {
    "$defs", "$ref", "type", "format", "title", "description", "enum", "items", "prefixItems", "minItems",
    "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties", "required",
    "propertyOrdering",
}  # fmt: skip

names = st.sampled_from(["a", "b", "format", "default", "title", "$ref", "-B", "properties", "anyOf", "type"])
scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text("ab", max_size=3)
types_ = st.sampled_from(["string", "number", "integer", "boolean", "array", "object", "null", "any"])
references = st.sampled_from(
    [
        "#/$defs/A",
        "#/definitions/B",
        "#",
        "#/properties/a",
        "#/$defs/A/properties/b",
        "#/x",
        "#anchor",
        "http://e/s",
    ]
)


def keywords(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": types_ | st.lists(types_, max_size=3),
            "title": scalars,
            "description": scalars,
            "format": st.sampled_from(["date-time", "uri", "int32", "uint32"]),
            "nullable": st.booleans(),
            "enum": st.lists(scalars, max_size=4),
            "const": scalars,
            "default": scalars,
            "pattern": st.text(max_size=5),
            "minimum": scalars,
            "minItems": scalars,
            "maxLength": scalars,
            "properties": st.dictionaries(names, schemas, max_size=3) | scalars,
            "required": st.lists(names, max_size=3) | scalars,
            "additionalProperties": schemas,
            "propertyOrdering": st.lists(names, max_size=3),
            "items": schemas | st.lists(schemas, max_size=2),
            "prefixItems": st.lists(schemas, max_size=2),
            "anyOf": st.lists(schemas, max_size=3) | scalars,
            "oneOf": st.lists(schemas, max_size=2),
            "allOf": st.lists(schemas, max_size=2) | scalars,
            "not": schemas,
            "if": schemas,
            "$schema": st.just("https://json-schema.org/draft/2020-12/schema"),
            "$id": st.just("x"),
            "$ref": references,
            "x-secret": scalars,
        },
    )


schemas = st.recursive(st.booleans() | st.just({}), keywords, max_leaves=12)
roots = st.builds(
    lambda root, a, b: (
        {**root, "$defs": {"A": a}, "definitions": {"B": b}} if isinstance(root, dict) else root
    ),
    schemas,
    schemas,
    schemas,
)


def walk(schema: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Asserts the subset's rules in every node; properties are walked as a map."""
    assert schema.keys() <= ALLOWED
    if "$ref" in schema:
        assert all(key.startswith("$") for key in schema)
        assert schema["$ref"].removeprefix("#/$defs/") in definitions
    assert isinstance(schema.get("type", ""), str)
    assert set(schema.get("required", ())) <= set(schema.get("properties", {}))
    assert all(
        isinstance(value, str | int | float) and not isinstance(value, bool)
        for value in schema.get("enum", ())
    )
    children = [
        *schema.get("properties", {}).values(),
        *schema.get("$defs", {}).values(),
        *schema.get("anyOf", ()),
        *schema.get("oneOf", ()),
        *schema.get("prefixItems", ()),
        *[schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)],
    ]
    for child in children:
        walk(child, definitions)


@settings(max_examples=60, deadline=None)
@given(roots)
def test_every_schema_fits_the_documented_subset_and_is_left_unchanged(schema: Any) -> None:
    before = copy.deepcopy(schema)
    made = json_schema(schema)
    assert schema == before
    assert made == json_schema(schema)
    walk(made, made.get("$defs", {}))
    orjson.dumps(made)


@settings(max_examples=60, deadline=None)
@given(roots)
def test_every_schema_has_a_form_that_googles_own_types_accept(schema: Any) -> None:
    canonical = json_schema(schema)
    types.Schema.model_validate(legacy_schema(canonical))
    parameters = legacy_parameters(canonical)
    types.FunctionDeclaration.model_validate({"name": "f", "parameters": parameters})
    text = orjson.dumps(parameters).decode()
    assert '"$ref":"' not in text
    assert '"$defs":{' not in text


@settings(max_examples=50, deadline=None)
@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_what_is_no_schema_raises_nothing(value: Any) -> None:
    orjson.dumps(json_schema(value))


def prop(schema: dict[str, Any]) -> Any:
    return json_schema({"type": "object", "properties": {"p": schema}})["properties"]["p"]


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"const": "active"}, {"type": "string", "enum": ["active"]}),
        ({"const": 3}, {"type": "integer", "enum": [3]}),
        ({"const": True}, {"type": "boolean"}),
        ({"type": ["string"]}, {"type": "string"}),
        ({"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (
            {"type": ["integer", "string"], "minimum": 1, "description": "D"},
            {"description": "D", "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string"}]},
        ),
        ({"type": "string", "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (
            {"enum": ["a", None]},
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]},
        ),
        ({"type": "integer", "enum": [1, 2]}, {"type": "integer", "enum": [1, 2]}),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
        ),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object"}, {"type": "object"}),
        ({"type": "array"}, {"type": "array"}),
        (
            {"type": "array", "items": [{"type": "string"}, {"type": "number"}]},
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
        ),
        (
            {"type": "string", "minLength": 2, "default": "x", "description": "D"},
            {"type": "string", "description": 'D (default: "x"; minLength: 2)'},
        ),
        ({"allOf": [{"type": "string"}, {"description": "D"}]}, {"type": "string", "description": "D"}),
        ({"enum": [1, 2.5]}, {"type": "number", "enum": [1, 2.5]}),
        ({"enum": [1, "a"]}, {"enum": [1, "a"]}),
        ({"const": None}, {"type": "null"}),
        ({"nullable": True, "description": "D"}, {"description": "D"}),
        (
            {"nullable": True, "anyOf": [{"type": "string"}, {"type": "number"}]},
            {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]},
        ),
        (
            {"type": ["string", "integer"], "enum": [1, 2]},
            {"anyOf": [{"type": "string"}, {"type": "integer", "enum": [1, 2]}]},
        ),
        ({"$ref": "#/nowhere", "description": "D"}, {"description": "D"}),
        ({"type": "string", "default": 2**70}, {"type": "string", "description": "(default: ...)"}),
        (True, {}),
    ],
)
def test_a_keyword_outside_the_subset_is_rewritten(schema: dict[str, Any], made: dict[str, Any]) -> None:
    assert prop(schema) == made


def test_required_names_only_properties_that_are_there() -> None:
    schema = {"type": "object", "properties": {"a": {}}, "required": ["a", "stale", "a"]}
    assert json_schema(schema)["required"] == ["a"]


def test_properties_keep_their_names_whatever_they_are_called() -> None:
    properties = {name: {"type": "string"} for name in ("default", "format", "$ref", "-B", "const", "allOf")}
    assert json_schema({"type": "object", "properties": properties})["properties"] == properties


def test_a_reference_keeps_its_definition_once_and_stands_alone() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"Step": {"type": "object", "properties": {"text": {"type": "string"}}}, "Unused": {}},
        "type": "object",
        "properties": {
            "first": {"$ref": "#/definitions/Step", "description": "Begin"},
            "all": {"type": "array", "items": {"$ref": "#/definitions/Step"}},
        },
    }
    made = json_schema(schema)
    assert made["$defs"] == {"Step": {"type": "object", "properties": {"text": {"type": "string"}}}}
    assert made["properties"]["first"] == {"description": "Begin", "anyOf": [{"$ref": "#/$defs/Step"}]}
    assert made["properties"]["all"]["items"] == {"$ref": "#/$defs/Step"}


def test_a_reference_into_the_middle_becomes_a_definition() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "title": "T"}, "b": {"$ref": "#/properties/a"}},
    }
    made = json_schema(schema)
    assert made["properties"]["b"] == {"$ref": "#/$defs/a"}
    assert made["$defs"] == {"a": {"type": "string", "title": "T"}}


def test_two_definitions_of_one_name_are_kept_apart() -> None:
    schema = {
        "$defs": {"A": {"type": "string"}},
        "definitions": {"A": {"type": "number"}},
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/A"},
            "b": {"allOf": [{"$ref": "#/definitions/A"}], "title": "B"},
        },
    }
    made = json_schema(schema)
    assert sorted(item["type"] for item in made["$defs"].values()) == ["number", "string"]
    assert made["properties"]["b"] != made["properties"]["a"]


def test_a_cycle_stays_a_cycle_of_references() -> None:
    schema = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}}
    made = json_schema(schema)
    assert made["$defs"]["root"]["properties"]["children"]["items"] == {"$ref": "#/$defs/root"}


def test_an_all_of_with_references_unites_properties() -> None:
    schema = {
        "$defs": {"Base": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
        "allOf": [
            {"$ref": "#/$defs/Base"},
            {"properties": {"name": {"type": "string"}}, "required": ["name"]},
        ],
    }
    made = json_schema(schema)
    assert made["type"] == "object"
    assert made["properties"].keys() == {"id", "name"}
    assert sorted(made["required"]) == ["id", "name"]


def test_endless_nesting_ends() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _level in range(400):
        schema = {"type": "object", "properties": {"a": schema}, "allOf": [{"$ref": "#"}, {"$ref": "#"}]}
    orjson.dumps(legacy_schema(json_schema(schema)))
