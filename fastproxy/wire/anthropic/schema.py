"""JSON Schemas as Claude takes them: an object without combinators at a tool's root, closed where strict.

Sources: Anthropic's "Tool use" (input_schema has `type: object` and no anyOf, oneOf, allOf at its root) and
"Structured outputs" (supported keywords; every object has `additionalProperties: false`).
"""

from __future__ import annotations

from fastproxy.types import Json
from fastproxy.wire.anthropic.values import invalid, object_of, text_of

_MAX_DEPTH = 64
_MAX_HOPS = 8
_COMBINATORS = ("anyOf", "oneOf", "allOf")
_REFUSED = frozenset(
    {
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "patternProperties",
        "propertyNames",
        "contains",
        "prefixItems",
    }
)
"""Keywords that structured outputs refuse; they move to the description, as Anthropic's own SDKs do."""
_SCHEMA_MAPS = frozenset({"properties", "$defs", "definitions"})
_SCHEMA_LISTS = frozenset(_COMBINATORS)


def input_schema(parameters: object, where: str) -> Json:
    """A tool's `input_schema`: an object schema, whatever the client left out or combined at its root."""
    if parameters is None:
        return {"type": "object", "properties": {}}
    if not isinstance(parameters, dict):
        invalid(f"`{where}` must be a JSON Schema (an object).", where)
    root = _flattened(parameters)
    if not isinstance(root.get("properties"), dict):
        root = {**root, "properties": {}}
    return root if root.get("type") == "object" else {**root, "type": "object"}


def closed_schema(schema: object, where: str, depth: int = 0) -> Json:
    """A copy of the schema for structured outputs: objects closed, refused keywords told in words."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        invalid(f"`{where}` must be a JSON Schema of at most {_MAX_DEPTH} levels.", where)
    closed = {
        key: _closed_value(key, value, where, depth) for key, value in schema.items() if _kept(key, value)
    }
    refused = {key: value for key, value in schema.items() if not _kept(key, value)}
    if refused:
        told = ", ".join(
            f"{key}: {value}" if isinstance(value, (int, float)) else key for key, value in refused.items()
        )
        closed["description"] = f"{text_of(schema.get('description'))} ({told})".strip()
    if schema.get("type") == "object" or "properties" in schema:
        closed["additionalProperties"] = False
    return closed


def _kept(key: str, value: object) -> bool:
    return key not in _REFUSED and not (key == "minItems" and value not in (0, 1))


def _closed_value(key: str, value: object, where: str, depth: int) -> object:
    if key in _SCHEMA_MAPS and isinstance(value, dict):
        return {name: _closed_child(child, where, depth) for name, child in value.items()}
    if key in _SCHEMA_LISTS and isinstance(value, list):
        return [_closed_child(child, where, depth) for child in value]
    return _closed_child(value, where, depth) if key == "items" else value


def _closed_child(value: object, where: str, depth: int) -> object:
    return closed_schema(value, where, depth + 1) if isinstance(value, dict) else value


def _flattened(schema: Json) -> Json:
    """The root without `$ref` and combinators: one object with the properties of all branches."""
    root = _resolved(schema, schema)
    if not any(key in root for key in _COMBINATORS):
        return root
    merged = {key: value for key, value in root.items() if key not in _COMBINATORS}
    properties, required = dict(object_of(root.get("properties"))), _names(root.get("required"))
    for key in _COMBINATORS:
        listed = root.get(key)
        branches = [_resolved(branch, schema) for branch in listed] if isinstance(listed, list) else []
        for branch in branches:
            properties = {**properties, **object_of(branch.get("properties")), **properties}
        demands = [_names(branch.get("required")) for branch in branches]
        if demands:
            shared = set.union(*demands) if key == "allOf" else set.intersection(*demands)
            required |= shared
    merged["properties"] = properties
    merged["required"] = [name for name in properties if name in required]
    return merged


def _resolved(schema: object, root: Json) -> Json:
    """The schema that a local `$ref` leads to (with the root's definitions), or the schema itself."""
    found = object_of(schema)
    for _hop in range(_MAX_HOPS):
        target = text_of(found.get("$ref"))
        found = {key: value for key, value in found.items() if key != "$ref"}
        if not target.startswith("#/"):
            break
        found = {**_at(root, target), **found}
    found.pop("$ref", None)  # a chain without end
    return found


def _at(root: Json, pointer: str) -> Json:
    node: object = root
    for step in pointer[2:].split("/"):
        node = object_of(node).get(step.replace("~1", "/").replace("~0", "~"))
    return object_of(node)


def _names(value: object) -> set[str]:
    return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()
