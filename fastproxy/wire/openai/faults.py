"""How a client's fault is told: one 400 that names the field and what to send instead."""

from __future__ import annotations

from fastproxy.errors import ErrorKind, ProxyError

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
