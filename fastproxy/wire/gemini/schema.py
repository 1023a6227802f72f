"""JSON Schema in, the subset of it that Gemini documents for `...JsonSchema` fields out.

The subset: type, format, title, description, enum of strings and numbers, items, prefixItems, minItems,
maxItems, minimum, maximum, anyOf, oneOf, properties, additionalProperties, required, propertyOrdering,
$defs and $ref; a $ref has no siblings (source: `GenerationConfig.response_json_schema` in Vertex AI's REST
reference). What the subset lacks is rewritten where it can be (const, allOf, lists of types, nullable,
draft-07 tuples and definitions, references into the middle of the schema), else told in the description.
Names of properties are the client's: they are never taken for keywords.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from fastproxy.types import Json
from fastproxy.wire.gemini import schema_node as node

MAX_DEPTH = 40
MAX_NODES = 20_000
_UNUSUAL = re.compile(r"[^A-Za-z0-9_.-]")


def json_schema(schema: object) -> Json:
    """The schema in Gemini's subset of JSON Schema; anything that is no schema becomes `{}`."""
    return _Normaliser(schema).result()


class _Normaliser:
    """One schema's rewriting: referenced definitions are collected once each, so cycles end."""

    def __init__(self, root: object) -> None:
        self._root = root
        self._names: dict[str, str] = {}
        self._pending: list[tuple[str, object]] = []
        self._nodes = 0

    def result(self) -> Json:
        root = self._node(self._root, 0)
        definitions: Json = {}
        while self._pending:
            name, target = self._pending.pop()
            definitions[name] = self._node(target, 0)
        return {"$defs": definitions, **root} if definitions else root

    def _node(self, schema: object, depth: int) -> Json:
        self._nodes += 1
        if not isinstance(schema, dict) or depth > MAX_DEPTH or self._nodes > MAX_NODES:
            return {}
        if isinstance(schema.get("allOf"), list):
            schema = self._merged(schema, 0)
        if isinstance(schema.get("$ref"), str):
            return self._reference(schema)
        out: Json = {}
        for key, value in schema.items():
            clean = _CLEANERS.get(key)
            kept = clean(self, value, depth) if clean else None
            if kept is not None:
                out[key] = kept
        if isinstance(schema.get("items"), list):  # draft-07's tuple
            out["prefixItems"] = self._nodes_of(schema["items"], depth)
        return node.finished(out, schema)

    def _reference(self, schema: Json) -> Json:
        name = self._name(schema["$ref"])
        if name is None:
            return node.described({}, schema)
        reference: Json = {"$ref": f"#/$defs/{name}"}
        described = node.described({}, schema)
        return {**described, "anyOf": [reference]} if described else reference

    def _name(self, pointer: str) -> str | None:
        if pointer not in self._names:
            target = node.resolve(self._root, pointer)
            if not isinstance(target, dict):
                return None
            last = "root" if pointer == "#" else unquote(pointer.rsplit("/", 1)[-1])
            name = _UNUSUAL.sub("_", last)
            while name in self._names.values():
                name = f"{name}_{len(self._names)}"
            self._names[pointer] = name
            self._pending.append((name, target))
        return self._names[pointer]

    def _merged(self, schema: Json, depth: int) -> Json:
        """The schema with its allOf folded in: properties and required unite, else the first word holds."""
        parts = [part for part in schema["allOf"] if isinstance(part, dict)]
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        if len(parts) == 1 and "$ref" in parts[0] and "properties" not in merged:
            return {**parts[0], **merged}
        for part in parts:
            self._nodes += 1
            if depth > MAX_DEPTH or self._nodes > MAX_NODES:
                break
            whole = node.dereferenced(self._root, part)
            if isinstance(whole.get("allOf"), list):
                whole = self._merged(whole, depth + 1)
            node.unite(merged, whole)
        return merged

    def _properties(self, value: object, depth: int) -> Json | None:
        if not isinstance(value, dict):
            return None
        return {str(name): self._node(schema, depth + 1) for name, schema in value.items()}

    def _items(self, value: object, depth: int) -> Json | None:
        return self._node(value, depth + 1) if isinstance(value, dict) else None

    def _additional(self, value: object, depth: int) -> Json | bool | None:
        return value if isinstance(value, bool) else self._items(value, depth)

    def _branches(self, value: object, depth: int) -> list[Json] | None:
        branches = self._nodes_of(value, depth)
        # A branch that says nothing allows everything, and so does the whole choice.
        return branches if branches and all(branches) else None

    def _nodes_of(self, value: object, depth: int) -> list[Json] | None:
        return [self._node(item, depth + 1) for item in value] if isinstance(value, list) else None

    def _text(self, value: object, _depth: int) -> str | None:
        return value if isinstance(value, str) else None

    def _number(self, value: object, _depth: int) -> int | float | None:
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def _count(self, value: object, _depth: int) -> int | None:
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

    def _strings(self, value: object, _depth: int) -> list[str] | None:
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else None


_CLEANERS: dict[str, Callable[[_Normaliser, object, int], Any]] = {
    "title": _Normaliser._text,
    "description": _Normaliser._text,
    "format": _Normaliser._text,
    "items": _Normaliser._items,
    "prefixItems": _Normaliser._nodes_of,
    "minItems": _Normaliser._count,
    "maxItems": _Normaliser._count,
    "minimum": _Normaliser._number,
    "maximum": _Normaliser._number,
    "anyOf": _Normaliser._branches,
    "oneOf": _Normaliser._branches,
    "properties": _Normaliser._properties,
    "additionalProperties": _Normaliser._additional,
    "required": _Normaliser._strings,
    "propertyOrdering": _Normaliser._strings,
}
