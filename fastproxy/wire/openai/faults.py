"""How a client's fault is told: one 400 that names the field and what to send instead."""

from __future__ import annotations

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import Json

_KINDS = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
    type(None): "null",
}

_LONGEST_NAME = 256


def invalid(param: str, message: str) -> ProxyError:
    """The error for a wrong field: `param` is its path in the body (`messages[2].content`)."""
    return ProxyError(ErrorKind.INVALID_REQUEST, message, param=param)


def wrong_type(param: str, wanted: str, value: object) -> ProxyError:
    """The error for a field of the wrong JSON type. The value itself is not repeated: it may be a prompt."""
    return invalid(param, f"`{param}` must be {wanted}, not {_KINDS.get(type(value), 'this')}.")


def model_of(value: object) -> str:
    """The model's name, "" where none is given; nothing in it that a header or a log could not carry."""
    name = "" if value is None else text_of(value, "model")
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise invalid("model", f"`model` must be a name of at most {_LONGEST_NAME} printable characters.")
    return name


def text_of(value: object, param: str) -> str:
    """The string at `param`, or the fault."""
    if not isinstance(value, str):
        raise wrong_type(param, "a string", value)
    return value


def flag_in(holder: Json, name: str, param: str) -> bool:
    """The boolean under `name`, False where there is none; `param` is its path in the body."""
    value = holder.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong_type(param, "true or false", value)
    return value is True


def object_in(holder: Json, name: str) -> Json:
    """The object under `name`, an empty one where there is none."""
    value = holder.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong_type(name, "an object", value)
    return value
