"""One node of a JSON Schema: its types, enum, description and references, in the words Gemini knows."""

from __future__ import annotations

from urllib.parse import unquote

import orjson

from fastproxy.types import Json

_TYPES = ("string", "number", "integer", "boolean", "array", "object")
_KEYS_OF_TYPE = {
    "object": ("properties", "required", "additionalProperties", "propertyOrdering"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "number": ("minimum", "maximum"),
    "integer": ("minimum", "maximum"),
}
_TYPED_KEYS = frozenset(key for keys in _KEYS_OF_TYPE.values() for key in keys)
_TOLD = ("title", "description")
_HINTS = (
    "default", "pattern", "minLength", "maxLength", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "examples",
)  # fmt: skip
_HINT_CHARS = 200
_MAX_HOPS = 20
_NULL: Json = {"type": "null"}


def finished(out: Json, schema: Json) -> Json:
    """The cleaned node `out` with what its source `schema` says about names, types, enum and hints."""
    if "required" in out or "propertyOrdering" in out:
        _prune_names(out)
    described(out, schema)
    types, null_type = _types(schema)
    values, null_value = _enum(schema)
    if values:
        out["enum"] = values
    if not types:
        inferred = _inferred(out, schema)
        types = [inferred] if inferred else []
    null_too = schema.get("nullable") is True and bool(types or out.keys() & {"anyOf", "oneOf"})
    return _typed(out, types, null_type or null_value or null_too)


def described(out: Json, schema: Json) -> Json:
    """`out`, its description told about the keywords that had to go (default, pattern, ...)."""
    hints = [f"{key}: {_brief(schema[key])}" for key in _HINTS if schema.get(key) is not None]
    text = schema.get("description")
    if isinstance(text, str):
        out["description"] = text
    if hints:
        hint = f"({'; '.join(hints)})"
        out["description"] = f"{text} {hint}" if isinstance(text, str) and text else hint
    return out


def resolve(root: object, pointer: str) -> object:
    """What the JSON pointer (`#/$defs/Name`) leads to; None where it leads nowhere."""
    if pointer != "#" and not pointer.startswith("#/"):
        return None
    here = root
    for step in unquote(pointer[1:]).split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict) and key in here:
            here = here[key]
        elif isinstance(here, list) and key.isdecimal() and int(key[:9]) < len(here):
            here = here[int(key[:9])]
        else:
            return None
    return here


def dereferenced(root: object, schema: Json) -> Json:
    """The schema behind a chain of `$ref`; `{}` for a chain without an end."""
    for _hop in range(_MAX_HOPS):
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        target = resolve(root, reference)
        schema = target if isinstance(target, dict) else {}
    return {}


def unite(merged: Json, part: Json) -> None:
    """Folds one branch of an allOf into `merged`, which is the caller's own."""
    for key, value in part.items():
        present = merged.get(key)
        if key == "properties" and isinstance(value, dict) and isinstance(present, dict):
            merged[key] = {**value, **present}
        elif key == "required" and isinstance(value, list) and isinstance(present, list):
            merged[key] = [*present, *(name for name in value if name not in present)]
        elif present is None and key != "allOf":
            merged[key] = value


def _prune_names(out: Json) -> None:
    """Google refuses `required` and `propertyOrdering` that name a property which is not there."""
    properties = out.get("properties") or {}
    for key in ("required", "propertyOrdering"):
        if key in out:
            names = [name for name in dict.fromkeys(out[key]) if name in properties]
            if names:
                out[key] = names
            else:
                del out[key]


def _types(schema: Json) -> tuple[list[str], bool]:
    """The node's types without null, and whether null is among them."""
    value = schema.get("type")
    named = value if isinstance(value, list) else [value]
    lower = [name.lower() for name in named if isinstance(name, str)]
    types = [name for name in dict.fromkeys(lower) if name in _TYPES]
    return types, "null" in lower


def _enum(schema: Json) -> tuple[list[str | int | float], bool]:
    """The strings and numbers among the allowed values (`const` is one), and whether null is one."""
    if "const" in schema:
        listed: object = [schema["const"]]
    else:
        listed = schema.get("enum")
    if not isinstance(listed, list):
        return [], False
    values = [item for item in listed if isinstance(item, str | int | float) and not isinstance(item, bool)]
    other = [item for item in listed if isinstance(item, bool | dict | list)]
    return ([] if other else values), None in listed


def _inferred(out: Json, schema: Json) -> str | None:
    values = out.get("enum")
    if values:
        if all(isinstance(value, str) for value in values):
            return "string"
        if any(isinstance(value, str) for value in values):
            return None
        return "integer" if all(isinstance(value, int) for value in values) else "number"
    if isinstance(schema.get("const"), bool):
        return "boolean"
    if "properties" in out:
        return "object"
    return "array" if "items" in out else None


def _typed(out: Json, types: list[str], nullable: bool) -> Json:
    """The node with one `type`; several types, or null beside one, become branches of an anyOf."""
    if not nullable and len(types) == 1:
        return {"type": types[0], **out}
    if not types:
        return _nullable(out) if nullable else out
    told = {key: out[key] for key in _TOLD if key in out}
    branches = [_branch(out, kind) for kind in types]
    return {**told, "anyOf": [*branches, _NULL] if nullable else branches}


def _nullable(out: Json) -> Json:
    for key in ("anyOf", "oneOf"):
        if key in out:
            return out if _NULL in out[key] else {**out, key: [*out[key], _NULL]}
    return {**out, **_NULL} if out.keys() <= set(_TOLD) else out


def _branch(out: Json, kind: str) -> Json:
    wanted = _KEYS_OF_TYPE.get(kind, ())
    branch: Json = {"type": kind}
    for key, value in out.items():
        if key == "enum":
            value = [item for item in value if isinstance(item, str) == (kind == "string")]
            if not value:
                continue
        if key not in _TOLD and (key in wanted or key not in _TYPED_KEYS):
            branch[key] = value
    return branch


def _brief(value: object) -> str:
    try:
        text = orjson.dumps(value).decode()
    except (TypeError, ValueError):  # a lone surrogate, a number past 64 bits, endless nesting
        return "..."
    return text if len(text) <= _HINT_CHARS else text[:_HINT_CHARS] + "..."
