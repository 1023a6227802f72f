"""The OpenAPI document as one page: no script, no font, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from fastproxy.api.openapi.document import ALIASES, METHODS
from fastproxy.types import Json

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --paper: #fff;
  --code: #f6f8fa; --get: #1a7f37; --post: #0969da }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --line: #3d444d;
  --paper: #0d1117; --code: #151b23; --get: #3fb950; --post: #4493f8 } }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 52rem;
  margin: 0 auto; padding: 2rem 1.25rem 6rem }
h1 { font-size: 1.6rem; margin-bottom: .25rem } h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem }
p { margin: .35rem 0 } .soft, small { color: var(--soft) } a { color: var(--post) }
code { font: .875em/1.4 ui-monospace, monospace; background: var(--code); padding: .1em .35em;
  border-radius: 4px }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; padding: 0 .9rem }
summary { cursor: pointer; padding: .6rem 0 } details[open] { padding-bottom: .8rem }
summary b { font: 600 .8rem ui-monospace, monospace; display: inline-block; width: 3.2rem }
.get { color: var(--get) } .post { color: var(--post) }
table { border-collapse: collapse; width: 100%; font-size: .925rem; margin: .5rem 0 }
td { border-top: 1px solid var(--line); padding: .35rem .75rem .35rem 0; vertical-align: top }
td:first-child { white-space: nowrap }
"""


def render_page(document: Json) -> str:
    """The page of this document."""
    info = document["info"]
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(info['title'])} API</title>\n<style>{_STYLE}</style>",
            f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
            f"<p>{_prose(info['description'])}</p>",
            '<p class="soft">For programs: <a href="openapi.json">openapi.json</a>.</p>',
            *_operations(document["paths"]),
            "<h2>Bodies</h2>",
            *(_schema(name, schema) for name, schema in document["components"]["schemas"].items()),
            "</html>\n",
        ]
    )


def _operations(paths: Json) -> Iterator[str]:
    tag = ""
    for path, item in paths.items():
        for method in METHODS:
            if method not in item:
                continue
            operation = item[method]
            if operation["tags"][0] != tag:
                tag = operation["tags"][0]
                yield f"<h2>{escape(tag.capitalize())}</h2>"
            yield _operation(method, path, operation, item.get(ALIASES, []))


def _operation(method: str, path: str, operation: Json, aliases: list[str]) -> str:
    said = [_prose(operation["description"])] if "description" in operation else []
    if operation["security"] == [{}]:
        said.append("Needs no key.")
    if aliases:
        said.append("The same as " + ", ".join(f"<code>{escape(alias)}</code>" for alias in aliases) + ".")
    if "requestBody" in operation:
        said.append("Body: " + _contents(operation["requestBody"]["content"]) + ".")
    rows = [
        (f"<code>{status}</code>", f"{_prose(answer['description'])} {_contents(answer.get('content', {}))}")
        for status, answer in operation["responses"].items()
    ]
    return (
        f'<details><summary><b class="{method}">{method.upper()}</b><code>{escape(path)}</code> '
        f"{escape(operation['summary'])}</summary>"
        f"{''.join(f'<p>{line}</p>' for line in said)}{_table(rows)}</details>"
    )


def _contents(content: Json) -> str:
    return ", ".join(
        _type(media["schema"]) if kind == "application/json" else f"<code>{escape(kind)}</code>"
        for kind, media in content.items()
    )


def _schema(name: str, schema: Json) -> str:
    required = schema.get("required", ())
    rows = [
        (
            f"<code>{escape(field)}</code>{' <small>required</small>' if field in required else ''}",
            f"{_type(of)} {_prose(of.get('description', ''))}",
        )
        for field, of in schema.get("properties", {}).items()
    ]
    title = f"<summary><code>{escape(name)}</code></summary>"
    said = f"<p>{_prose(schema['description'])}</p>" if "description" in schema else ""
    body = _table(rows) if rows else f"<p>{_type(schema)}</p>"
    return f'<details id="{escape(name)}">{title}{said}{body}</details>'


def _type(schema: Json) -> str:
    """The schema in a few words, with links to the named ones."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "oneOf" in schema:
        return " or ".join(_type(one) for one in schema["oneOf"])
    if "const" in schema:
        return _value(schema["const"])
    if "enum" in schema:
        return " or ".join(map(_value, schema["enum"]))
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "array" in kinds:
        return f"list of {_type(schema['items'])}"
    if fields := schema.get("properties"):
        return "{ " + ", ".join(f"{escape(name)}: {_type(of)}" for name, of in fields.items()) + " }"
    return " or ".join(kinds)


def _value(value: Any) -> str:
    return f"<code>{escape(str(value))}</code>" if value is not None else "null"


def _prose(words: str) -> str:
    """Escaped, with `code` between back quotes."""
    pieces = escape(words).split("`")
    return "".join(f"<code>{piece}</code>" if at % 2 else piece for at, piece in enumerate(pieces))


def _table(rows: list[tuple[str, str]]) -> str:
    return "<table>" + "".join(f"<tr><td>{left}<td>{right}" for left, right in rows) + "</table>"
