"""OpenAI chat -> Ollama's native `POST /api/chat`.

Native, because Ollama's own /v1 cannot set `num_ctx` and cuts a long prompt silently. `truncate: false`
and `shift: false` make newer servers refuse instead of cutting; older ones ignore both, so the answer's
token count is checked as well (response.py).
Source: Ollama's docs/api.md and api/types.go (ChatRequest).
"""

from __future__ import annotations

import re

import orjson

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import ChatRequest, Deployment, Dropped, Headers, Json, UpstreamRequest
from fastproxy.wire.ollama.content import build_messages
from fastproxy.wire.ollama.options import (
    drop_others,
    format_of,
    logprobs_fields,
    num_ctx_of,
    sampling_options,
    think_of,
)
from fastproxy.wire.openai.faults import invalid

_WRONG_TAIL = re.compile(r"(/+(v1|api))*/*\Z")
_KEPT_OF_FUNCTION = ("name", "description", "parameters")


def build_request(request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
    """The request to /api/chat. Raises ProxyError for what Ollama cannot take."""
    dropped: list[Dropped] = []
    num_ctx = num_ctx_of(deployment.options, deployment.model)
    body: Json = {
        "model": deployment.model,
        "messages": build_messages(request.messages),
        "stream": request.stream,
        "truncate": False,
        "shift": False,
        "options": {**sampling_options(request, dropped), "num_ctx": num_ctx},
        **logprobs_fields(request),
    }
    optional = {
        "tools": _tools(request, dropped),
        "think": think_of(request),
        "format": format_of(request),
        "keep_alive": keep_alive_of(request.extra.get("keep_alive"), deployment),
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    drop_others(request, dropped)
    return UpstreamRequest(
        url=endpoint(deployment.base_url, "chat"),
        body=encode(body),
        headers=headers_of(deployment),
        dropped=tuple(dropped),
        context_window=num_ctx,
    )


def endpoint(base_url: str, name: str) -> str:
    """The address of /api/NAME. A base URL that ends in /v1 or /api (an easy mistake) is put right."""
    return f"{_WRONG_TAIL.sub('', base_url, count=1)}/api/{name}"


def headers_of(deployment: Deployment) -> Headers:
    """The headers of every request to this deployment."""
    return (("content-type", "application/json"), *deployment.headers)


def encode(body: Json) -> bytes:
    """The body as JSON. Raises ProxyError for what JSON cannot hold (lone surrogates, endless nesting)."""
    try:
        return orjson.dumps(body)
    except TypeError as error:
        message = f"The request cannot be written as JSON: {error}."
        raise ProxyError(ErrorKind.INVALID_REQUEST, message) from error


def keep_alive_of(wanted: object, deployment: Deployment) -> str | int | float | None:
    """How long the model stays loaded: the client's wish, else the operator's, else Ollama's default.

    Ollama takes "5m" or a number of seconds, and refuses a number in quotes ("-1").
    """
    value = deployment.options.get("keep_alive") if wanted is None else wanted
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float, type(None))):
        raise invalid("keep_alive", '`keep_alive` must be a length of time ("5m") or a number of seconds.')
    return value if value != "" else None


def _tools(request: ChatRequest, dropped: list[Dropped]) -> list[Json] | None:
    """The tools that the choice leaves; None where there are none. Ollama cannot be made to call one."""
    choice = request.tool_choice
    if not request.tools or (choice and choice.mode == "none"):
        return None
    tools = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(request.tools)]
    if choice and choice.names:
        tools = [tool for tool in tools if tool["function"]["name"] in choice.names]
        if not tools:
            raise invalid(
                "tool_choice", f"`tool_choice` names no tool of `tools`: {', '.join(choice.names)}."
            )
    if choice and choice.mode == "required":
        dropped.append(Dropped("tool_choice", "Ollama cannot force a tool call; the model decides"))
    return tools


def _tool(tool: Json, param: str) -> Json:
    function = tool.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise invalid(f"{param}.function.name", f"`{param}.function.name` must be a string.")
    kept = {name: function[name] for name in _KEPT_OF_FUNCTION if function.get(name) is not None}
    return {"type": "function", "function": kept}
