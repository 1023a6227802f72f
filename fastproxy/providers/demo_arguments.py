"""Arguments that fit a tool's JSON schema: the plainest value of each kind."""

from __future__ import annotations

from typing import Any

from fastproxy.types import Json
from fastproxy.wire.openai.calls import encode

MAX_DEPTH = 6
_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "demo@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_PLAIN: Json = {"boolean": True, "null": None}


def example_arguments(schema: Json) -> str:
    """JSON of an object for this schema."""
    made = _example(schema, schema, MAX_DEPTH)
    return encode(made if isinstance(made, dict) else {}).decode()


def _example(schema: Any, root: Json, depth: int) -> Any:
    if not isinstance(schema, dict) or depth == 0:
        return "demo"
    for name in ("const", "default", "example"):
        if name in schema:
            return schema[name]
    for name in ("enum", "examples"):
        if isinstance(schema.get(name), list) and schema[name]:
            return schema[name][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(name), list) and schema[name]:
            return _example(schema[name][0], root, depth - 1)
    if isinstance(schema.get("$ref"), str):
        return _example(_resolve(schema["$ref"], root), root, depth - 1)
    return _by_type(schema, root, depth)


def _by_type(schema: Json, root: Json, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0] if kind else "string"
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        least = schema.get("minItems")
        count = max(1, min(least, 10)) if type(least) is int else 1
        return [_example(schema.get("items"), root, depth - 1)] * count
    if kind in ("integer", "number"):
        least = schema.get("minimum")
        return max(1, least) if isinstance(least, int | float) else 1
    if kind == "string":
        least = schema.get("minLength")
        text = _FORMATS.get(str(schema.get("format")), "demo")
        return text.ljust(min(least, 1000), "o") if type(least) is int else text
    return _PLAIN.get(kind, "demo") if isinstance(kind, str) else "demo"


def _object(schema: Json, root: Json, depth: int) -> Json:
    """All properties that are required, or all that there are where none is."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    required = schema.get("required")
    wanted = required if isinstance(required, list) else []
    names = [name for name in wanted if isinstance(name, str) and name in properties]
    return {name: _example(properties[name], root, depth - 1) for name in names or properties}


def _resolve(ref: str, root: Json) -> Any:
    found: Any = root
    for step in ref.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    return found
