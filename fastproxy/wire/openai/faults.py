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


def invalid(param: str, message: str) -> ProxyError:
    """The error for a wrong field: `param` is its path in the body (`messages[2].content`)."""
    return ProxyError(ErrorKind.INVALID_REQUEST, message, param=param)


def wrong_type(param: str, wanted: str, value: object) -> ProxyError:
    """The error for a field of the wrong JSON type. The value itself is not repeated: it may be a prompt."""
    return invalid(param, f"`{param}` must be {wanted}, not {_KINDS.get(type(value), 'this')}.")


def text_of(value: object, param: str) -> str:
    """The string at `param`, or the fault."""
    if not isinstance(value, str):
        raise wrong_type(param, "a string", value)
    return value
