"""Gemini's subset of JSON Schema in, the older Schema dialect (`parameters`, `responseSchema`) out.

That dialect is a protobuf message: an unknown key is a 400, a type is one upper-case word, an enum holds
strings alone, anyOf stands alone, nothing is a reference. Used for models before 2.0, and as the repair
for a schema that was refused.
"""

from __future__ import annotations

from fastproxy.types import Json

MAX_NODES = 5_000
_MAX_REFERENCES = 6
_FORMATS = frozenset(("enum", "date-time", "int32", "int64", "float", "double"))
_COPIED = ("description", "minimum", "maximum")


def legacy_schema(schema: Json) -> Json:
    """The Schema message for a schema from `schema.json_schema`, its references written out in full."""
    return _Writer(schema.get("$defs") or {}).write(schema, ())


def legacy_parameters(schema: Json) -> Json | None:
    """The same for a function's parameters, which must be an object; None where none is described."""
    written = legacy_schema(schema)
    objects = [branch for branch in written.get("anyOf", ()) if branch.get("type") == "OBJECT"]
    written = objects[0] if objects else written
    return written if written.get("properties") else None


class _Writer:
    def __init__(self, definitions: Json) -> None:
        self._definitions = definitions
        self._nodes = 0

    def write(self, schema: Json, trail: tuple[str, ...]) -> Json:
        """The node written out; `trail` holds the references it is within, which ends cycles."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            return {"type": "OBJECT"}
        if "$ref" in schema:
            return self._definition(schema["$ref"].rpartition("/")[2], trail)
        kind = schema.get("type")
        branches = schema.get("anyOf") or schema.get("oneOf")
        if branches and kind is None:
            return self._choice(schema, branches, trail)
        if kind in (None, "null"):
            return _plain(schema, "STRING") | ({"nullable": True} if kind else {})
        written = _plain(schema, kind.upper())
        if kind == "object":
            self._properties(written, schema, trail)
        elif kind == "array":
            written["items"] = self._items(schema, trail)
        return written

    def _definition(self, name: str, trail: tuple[str, ...]) -> Json:
        if name in trail or len(trail) >= _MAX_REFERENCES or name not in self._definitions:
            return {"type": "OBJECT", "description": f"A nested {name}."}
        return self.write(self._definitions[name], (*trail, name))

    def _properties(self, written: Json, schema: Json, trail: tuple[str, ...]) -> None:
        properties = schema.get("properties")
        if properties:
            written["properties"] = {name: self.write(item, trail) for name, item in properties.items()}
        for key in ("required", "propertyOrdering"):
            if key in schema:
                written[key] = list(schema[key])

    def _items(self, schema: Json, trail: tuple[str, ...]) -> Json:
        items = schema.get("items") or next(iter(schema.get("prefixItems") or ()), None)
        return self.write(items, trail) if items else {"type": "STRING"}

    def _choice(self, schema: Json, branches: list[Json], trail: tuple[str, ...]) -> Json:
        shared: Json = {"nullable": True} if any(item.get("type") == "null" for item in branches) else {}
        if "description" in schema:
            shared["description"] = schema["description"]
        written = [self.write(item, trail) for item in branches if item.get("type") != "null"]
        if len(written) > 1:
            # What stands beside anyOf is refused, so each branch is told; a choice in a choice is opened.
            flat = [inner for item in written for inner in item.get("anyOf", (item,))]
            return {"anyOf": [{**shared, **item} for item in flat]}
        if not written:
            return {"type": "STRING", **shared}
        if "anyOf" in written[0]:
            return {"anyOf": [{**shared, **item} for item in written[0]["anyOf"]]}
        return {**written[0], **shared}


def _plain(schema: Json, kind: str) -> Json:
    written: Json = {"type": kind, **{key: schema[key] for key in _COPIED if key in schema}}
    values = schema.get("enum")
    if values and kind == "STRING" and all(isinstance(value, str) and value for value in values):
        written["enum"] = list(values)
    elif values:  # the type is worth more than the list: numbers in an enum are refused
        told = f"(one of: {', '.join(str(value) for value in values)})"
        written["description"] = f"{schema.get('description') or ''} {told}".strip()
    if schema.get("format") in _FORMATS:
        written["format"] = schema["format"]
    return written
