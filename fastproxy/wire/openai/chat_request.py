"""A chat body, decoded from JSON, as a `ChatRequest`: every shape that clients send, one shape afterwards.

One pass, nothing copied that is right already. Every fault of the client's is a 400 that names the field.
"""

from __future__ import annotations

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.openai.faults import model_of, wrong_type
from fastproxy.wire.openai.messages import parse_messages
from fastproxy.wire.openai.parameters import split_parameters
from fastproxy.wire.openai.tools import parse_tool_choice, parse_tools


def parse_chat(body: Json) -> ChatRequest:
    """The request in `body`. `model` is "" where the client named none. Raises ProxyError (400)."""
    if not isinstance(body, dict):
        raise wrong_type("body", "a JSON object", body)
    stream = _flag(body, "stream", "stream")
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise wrong_type("stream_options", "an object", options)
    parameters, extra = split_parameters(body)
    tools = parse_tools(body)
    return ChatRequest(
        model=model_of(body.get("model")),
        messages=parse_messages(body),
        stream=stream,
        include_usage=_flag(options or {}, "include_usage", "stream_options.include_usage"),
        tools=tools,
        tool_choice=parse_tool_choice(body, tools),
        parameters=parameters,
        extra=extra,
    )


def _flag(holder: Json, name: str, param: str) -> bool:
    value = holder.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong_type(param, "true or false", value)
    return value is True
