"""Writes the tables of docs/configuration.md from the settings: their types, defaults and docstrings.

python -m testkit.configuration_page          (or: make docs)
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_origin

import orjson
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from fastproxy.config import providers, settings

Model = type[BaseModel]
Json = dict[str, Any]

FILE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
BEGIN = "<!-- made from the settings by `make docs`: do not edit -->\n"
END = "<!-- end of what is made -->\n"

_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "number": "number"}


def render(page: str) -> str:
    """The page, with what stands between its marks made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{_tables()}\n{END}{after}"


def _tables() -> str:
    parts = list(_sections(settings.Settings, ()))
    parts.append("### Every provider\n\n" + _rows(providers.ProviderSettings, "FASTPROXY_PROVIDERS__NAME"))
    parts += [_kind(model) for model in providers.ProviderSettings.__subclasses__()]
    return "\n".join(parts)


def _sections(model: Model, path: tuple[str, ...]) -> Iterator[str]:
    """Each table of fixed keys in this one, its own tables after it. Lists of tables have no variables."""
    for name, field in model.model_fields.items():
        inner, place = _model_in(field.annotation), ".".join((*path, name))
        if inner is not None and get_origin(field.annotation) is list:
            yield _section(f"`[[{place}]]`", "", inner)
        elif inner is not None:
            yield _section(f"`[{place}]`", "FASTPROXY_" + "__".join((*path, name)).upper(), inner)
            yield from _sections(inner, (*path, name))


def _model_in(annotation: Any) -> Model | None:
    """The model of a table, or of a list of tables; None where the keys are not fixed."""
    [inner, *more] = get_args(annotation) or [annotation]
    is_model = not more and isinstance(inner, type) and issubclass(inner, BaseModel)
    return inner if is_model else None


def _section(title: str, variable: str, model: Model) -> str:
    law = " ".join((inspect.getdoc(model) or "").split()).partition(": ")[2]
    told = f"{law[0].upper()}{law[1:]}\n\n" if law else ""
    return f"### {title}\n\n{told}{_rows(model, variable)}"


def _kind(model: Model) -> str:
    kind = model.model_fields["kind"].default
    own = kind != "openai"
    title = f"`[providers.{kind}]`" if own else '`[providers.NAME]` with `kind = "openai"`'
    variable = f"FASTPROXY_PROVIDERS__{kind.upper() if own else 'NAME'}"
    common = providers.ProviderSettings.model_fields
    names = [
        name
        for name, field in model.model_fields.items()
        if name != "kind" and (name not in common or field.default != common[name].default)
    ]
    return f"### {title}\n\n{inspect.getdoc(model)}\n\n{_rows(model, variable, names)}"


def _rows(model: Model, variable: str, names: list[str] | None = None) -> str:
    head = "| key | type | default | |\n|---|---|---|---|\n"
    rows = (_row(model, name, variable) for name in names or model.model_fields)
    return head + "".join(f"{row}\n" for row in rows)


def _row(model: Model, name: str, variable: str) -> str:
    field = model.model_fields[name]
    spelled = f"<br>`{variable}__{name.upper()}`" if variable else ""
    cells = (f"`{name}`{spelled}", _type(model, name), _default(field), meaning(model, name))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def meaning(model: Model, name: str) -> str:
    """The docstring of a field, of the class that explains it; "" where nobody does."""
    found = (_docstrings(cls).get(name, "") for cls in model.__mro__ if issubclass(cls, BaseModel))
    return next((text for text in found if text), "")


@cache
def _docstrings(model: Model) -> dict[str, str]:
    if model is BaseModel:
        return {}
    tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    return {name: told for node in tree.body if isinstance(node, ast.ClassDef) for name, told in _told(node)}


def _told(model: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, following in pairwise(model.body):
        match field, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())


def _type(model: Model, name: str) -> str:
    schema = model.model_json_schema()
    if name not in schema["properties"]:
        return "table"
    return _words(schema["properties"][name])


def _words(schema: Json) -> str:
    if "anyOf" in schema:
        return _words(next(one for one in schema["anyOf"] if one.get("type") != "null"))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "table")
    if kind == "array":
        return f"list of {_plural(schema['items'])}"
    if kind == "object":
        return "table"
    if schema.get("format") == "password":
        return "secret"
    bounds = _bounds(schema)
    return _WORDS[kind] + (f", {bounds}" if bounds else "")


def _plural(schema: Json) -> str:
    return "texts" if schema.get("type") == "string" else "tables"


def _bounds(schema: Json) -> str:
    words = {"exclusiveMinimum": "over", "minimum": "from", "exclusiveMaximum": "under", "maximum": "to"}
    return " ".join(f"{word} {schema[name]:,.0f}" for name, word in words.items() if name in schema)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None:
        return "unset"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{orjson.dumps(value).decode().replace(',', ', ')}`"


if __name__ == "__main__":
    FILE.write_text(render(FILE.read_text("utf-8")), "utf-8")
