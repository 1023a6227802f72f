"""A chat body, decoded from JSON, as a `ChatRequest`: every shape that clients send, one shape afterwards.

The body's own shape decides, not who sends it: some clients send Responses bodies to this endpoint, or both
forms in one. One pass, nothing copied that is right already. Every fault of the client's is a 400 that names
the field.
"""

from __future__ import annotations

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.openai.custom_input import wrap_inputs
from fastproxy.wire.openai.faults import flag_in, model_of, object_in, wrong_type
from fastproxy.wire.openai.messages import parse_messages
from fastproxy.wire.openai.parameters import split_parameters
from fastproxy.wire.openai.responses_request import parse_responses, tool_results
from fastproxy.wire.openai.tools import custom_tool_names, parse_tool_choice, parse_tools


def parse_chat(body: Json) -> ChatRequest:
    """The request in `body`. `model` is "" where the client named none. Raises ProxyError (400)."""
    if not isinstance(body, dict):
        raise wrong_type("body", "a JSON object", body)
    if not body.get("messages") and (body.get("input") or body.get("instructions")):
        return parse_responses(body)
    parameters, extra = split_parameters(body)
    tools = parse_tools(body)
    custom_tools = custom_tool_names(body)
    messages = parse_messages(body, tool_results(body))
    return ChatRequest(
        model=model_of(body.get("model")),
        messages=wrap_inputs(messages, custom_tools) if custom_tools else messages,
        stream=flag_in(body, "stream", "stream"),
        include_usage="stream_options" in body
        and flag_in(object_in(body, "stream_options"), "include_usage", "stream_options.include_usage"),
        tools=tools,
        tool_choice=parse_tool_choice(body, tools),
        parameters=parameters,
        extra=extra,
        custom_tools=custom_tools,
    )
