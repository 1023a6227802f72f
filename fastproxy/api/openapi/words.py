"""The words that schemas are written in: JSON Schema 2020-12, as OpenAPI 3.1 takes it."""

from __future__ import annotations

from typing import Any

from fastproxy.types import Json


def ref(name: str) -> Json:
    """A reference to the schema of this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def make_object(required: str, properties: Json, description: str = "") -> Json:
    """An object; `required` holds names, separated by spaces."""
    made: Json = {"type": "object", "properties": properties}
    if required:
        made["required"] = required.split()
    if description:
        made["description"] = description
    return made


def make_list(items: Json, **more: Any) -> Json:
    """A list of these."""
    return {"type": "array", "items": items, **more}


def text(description: str = "", **more: Any) -> Json:
    """A string."""
    return {"type": "string", **({"description": description} if description else {}), **more}


def said(schema: Json, description: str) -> Json:
    """The schema, described."""
    return {**schema, "description": description}


def or_null(schema: Json) -> Json:
    """The schema, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def literal(value: str) -> Json:
    """This one string."""
    return {"const": value, "type": "string"}


INTEGER: Json = {"type": "integer"}
NUMBER: Json = {"type": "number"}
FLAG: Json = {"type": "boolean"}
ANY_OBJECT: Json = {"type": "object", "additionalProperties": True}
SIZE: Json = {"type": "integer", "minimum": 0}
