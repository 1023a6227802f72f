"""Reading values whose type nobody vouches for: a wrong type is the client's fault, or simply not there."""

from __future__ import annotations

from typing import NoReturn

import orjson

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import Json


def invalid(message: str, param: str) -> NoReturn:
    """Raise the client's fault at `param`."""
    raise ProxyError(ErrorKind.INVALID_REQUEST, message, param=param)


def object_of(value: object) -> Json:
    """The value where it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str:
    """The value where it is a string, else ""."""
    return value if isinstance(value, str) else ""


def number_of(value: object, param: str) -> float:
    """The value where it is a number; anything else is the client's fault."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    invalid(f"`{param}` must be a number.", param)


def encode(body: Json) -> bytes:
    """The body as JSON. What JSON cannot hold (surrogates, endless nesting) is the client's fault."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as error:
        raise ProxyError(
            ErrorKind.INVALID_REQUEST, f"The request cannot be sent as JSON: {error}."
        ) from error
