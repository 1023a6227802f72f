"""Tool calls of an assistant message, of every shape, as OpenAI's: `type: "function"`, string arguments."""

from __future__ import annotations

from typing import Any

import orjson

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import Json
from fastproxy.wire.openai.faults import invalid, wrong_type


def encode(value: Any) -> bytes:
    """JSON bytes of a value that came out of JSON; only its depth can be too much for the encoder."""
    try:
        return orjson.dumps(value)
    except TypeError as error:
        message = "The request body is nested too deeply to be passed on."
        raise ProxyError(ErrorKind.INVALID_REQUEST, message) from error


def parse_tool_calls(calls: object, made_id: str, param: str) -> list[Json]:
    """The calls at `param` in OpenAI's form. `made_id` begins the ids of calls that have none."""
    if not isinstance(calls, list):
        raise wrong_type(param, "a list of tool calls", calls)
    return [_call(call, f"{made_id}_{index}", f"{param}[{index}]") for index, call in enumerate(calls)]


def make_call(call_id: str, name: object, arguments: object, param: str) -> Json:
    """One call from its pieces."""
    function = {"name": _name(name, param), "arguments": _arguments(arguments, param)}
    return {"id": call_id, "type": "function", "function": function}


def _call(call: object, made_id: str, param: str) -> Json:
    if not isinstance(call, dict):
        raise wrong_type(param, "an object", call)
    call_id = call.get("id") or made_id
    if not isinstance(call_id, str):
        raise wrong_type(f"{param}.id", "a string", call_id)
    custom = call.get("custom")
    if call.get("type") == "custom" and isinstance(custom, dict):
        return make_call(call_id, custom.get("name"), {"input": custom.get("input")}, f"{param}.custom")
    function = call.get("function")
    if not isinstance(function, dict):
        raise wrong_type(f"{param}.function", "an object with `name` and `arguments`", function)
    name = _name(function.get("name"), f"{param}.function")
    given = function.get("arguments")
    arguments = _arguments(given, f"{param}.function")
    if arguments is given and call.get("id") and call.get("type") == "function":
        return call
    fixed = {**function, "name": name, "arguments": arguments}
    return {**call, "id": call_id, "type": "function", "function": fixed}


def _name(name: object, param: str) -> str:
    if not isinstance(name, str) or not name:
        raise invalid(f"{param}.name", f"`{param}.name` must be a string that is not empty: the tool's name.")
    return name


def _arguments(arguments: object, param: str) -> str:
    if arguments is None or arguments == "":
        return "{}"
    if isinstance(arguments, str):
        return arguments
    if isinstance(arguments, dict):
        return encode(arguments).decode()
    raise wrong_type(f"{param}.arguments", "a string of JSON", arguments)
