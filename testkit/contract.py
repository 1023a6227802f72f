"""Writes docs/api: the OpenAPI document of the registered routes, and the TypeScript contract made from it.

python -m testkit.contract          (or: make docs)
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from fastproxy.api.openapi.document import METHODS, make_document
from fastproxy.app import App
from fastproxy.config import Settings

Json = dict[str, Any]

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "api"
_SCALARS = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_HEAD = """\
// The bodies of fastproxy's API. Made from openapi.json by `make docs`; do not edit.
//
//   import type { ChatCompletionRequest, CreateChatCompletion } from "./fastproxy";
"""


def registered_routes() -> list[tuple[str, str]]:
    """(method, path) of all routes of an app with default settings."""
    return sorted(App(Settings(), {}).asgi.routes)


def files() -> dict[str, str]:
    """What docs/api holds: name -> text."""
    document = make_document(registered_routes())
    written = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"
    return {"openapi.json": written, "fastproxy.d.ts": render_typescript(document)}


def render_typescript(document: Json) -> str:
    """A declaration for each body, then one for each operation: its path, its body, its answers by status."""
    schemas = document["components"]["schemas"].items()
    bodies = [f"{_comment(schema)}export {_declaration(name, schema)}" for name, schema in schemas]
    paths = [line for path, item in document["paths"].items() for line in _path(path, item)]
    return "\n\n".join([_HEAD.rstrip(), *bodies, "\n".join(paths).rstrip()]) + "\n"


def _declaration(name: str, schema: Json) -> str:
    if "properties" in schema:
        return f"interface {name} {_type(schema)}"
    return f"type {name} = {_type(schema)};"


def _path(path: str, item: Json) -> Iterable[str]:
    for method in METHODS:
        if method not in item:
            continue
        operation = item[method]
        name = operation["operationId"]
        yield f"export interface {name[0].upper()}{name[1:]} {{"
        yield f'  path: "{path}";\n  method: "{method.upper()}";'
        if "requestBody" in operation:
            yield f"  body: {_media(operation['requestBody']['content'])};"
        yield "  answers: {"
        for status, answer in operation["responses"].items():
            yield f"    {status}: {_media(answer.get('content', {}))};"
        yield "  };\n}\n"


def _media(content: Json) -> str:
    types = [_type(media["schema"]) if "json" in kind else "string" for kind, media in content.items()]
    return " | ".join(types) or "never"


def _type(schema: Json, indent: str = "") -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "oneOf" in schema:
        return " | ".join(_type(one, indent) for one in schema["oneOf"])
    if "const" in schema:
        return orjson.dumps(schema["const"]).decode()
    if "enum" in schema:
        return " | ".join(orjson.dumps(value).decode() for value in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " | ".join(_kind(kind, schema, indent) for kind in kinds)


def _kind(kind: str, schema: Json, indent: str) -> str:
    if kind == "array":
        items = _type(schema["items"], indent)
        return f"({items})[]" if " | " in items else f"{items}[]"
    if kind != "object":
        return _SCALARS[kind]
    if "properties" not in schema:
        values = schema.get("additionalProperties")
        return f"Record<string, {_type(values) if isinstance(values, dict) else 'unknown'}>"
    inner = indent + "  "
    lines = ["{"]
    for name, of in schema["properties"].items():
        optional = "" if name in schema.get("required", ()) else "?"
        lines.append(f"{_comment(of, inner)}{inner}{name}{optional}: {_type(of, inner)};")
    return "\n".join([*lines, indent + "}"])


def _comment(schema: Json, indent: str = "") -> str:
    return f"{indent}/** {schema['description']} */\n" if "description" in schema else ""


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, "utf-8")
