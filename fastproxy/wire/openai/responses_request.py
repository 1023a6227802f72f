"""A Responses body, decoded from JSON, as a `ChatRequest`. It is stateless: what only a store could give is a
400 with the remedy.

Source: `openai` Python SDK 3.54, `types/responses/response_create_params.py`.
"""

from __future__ import annotations

from typing import Any

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.openai.custom_input import wrap_inputs
from fastproxy.wire.openai.faults import flag_in, invalid, model_of, object_in, text_of, wrong_type
from fastproxy.wire.openai.parameters import split_parameters
from fastproxy.wire.openai.responses_input import ResponsesInput
from fastproxy.wire.openai.tools import custom_tool_names, parse_tool_choice, parse_tools

_STORED = {
    "previous_response_id": "no response is stored here: send the whole conversation in `input`",
    "conversation": "no conversation is stored here: send the whole conversation in `input`",
    "prompt": "no prompt is stored here: send its text in `instructions`",
    "background": "answers are not kept here until they are fetched: leave it out, and stream the answer",
}
"""Fields that only a server with a store can obey, and what to do instead."""

_OURS = frozenset(
    (
        *_STORED,
        "client_metadata",
        "context_management",
        "include",
        "instructions",
        "max_tool_calls",
        "reasoning",
        "store",
        "text",
        "truncation",
    )
)
"""Fields of the Responses API that are read here, or mean nothing to a chat model; none goes upstream."""

_RESULTS = ("function_call_output", "custom_tool_call_output")


def parse_responses(body: Json) -> ChatRequest:
    """The request in `body`. `model` is "" where the client named none. Raises ProxyError (400)."""
    if not isinstance(body, dict):
        raise wrong_type("body", "a JSON object", body)
    for name, remedy in _STORED.items():
        if body.get(name):
            raise invalid(name, f"`{name}` cannot be used: {remedy}.")
    conversation = _read_conversation(body)
    messages = conversation.messages()
    if not messages:
        raise invalid("input", "`input` is empty: send a text, or a list of at least one item.")
    parameters, extra = split_parameters({**_lowered(body), **_sampling(body)})
    tools, custom_tools = parse_tools(body), custom_tool_names(body)
    return ChatRequest(
        model=model_of(body.get("model")),
        messages=wrap_inputs(messages, custom_tools) if custom_tools else messages,
        stream=flag_in(body, "stream", "stream"),
        include_usage=flag_in(
            object_in(body, "stream_options"), "include_usage", "stream_options.include_usage"
        ),
        tools=tools,
        tool_choice=parse_tool_choice(body, tools),
        parameters=parameters,
        extra=extra,
        recalled=conversation.recalled,
        custom_tools=custom_tools,
    )


def tool_results(body: Json) -> list[tuple[Json, list[Json]]]:
    """The tools' answers in the `input` of a body whose conversation stands in `messages`."""
    items = body.get("input")
    if not isinstance(items, list):
        return []
    reader = ResponsesInput()
    reader.read([item for item in items if isinstance(item, dict) and _is_result(item)])
    return reader.results


def _is_result(item: Json) -> bool:
    return item.get("role") == "tool" or item.get("type") in _RESULTS


def _read_conversation(body: Json) -> ResponsesInput:
    conversation = ResponsesInput()
    if body.get("instructions"):
        conversation.instruct(text_of(body["instructions"], "instructions"))
    if body.get("input") is not None or not body.get("instructions"):
        conversation.read(body.get("input"))
    return conversation


def _lowered(body: Json) -> Json:
    """The fields that chat has as well."""
    return {name: value for name, value in body.items() if name not in _OURS}


def _sampling(body: Json) -> Json:
    """Chat's names for what Responses says in objects of their own."""
    made: Json = {}
    effort = object_in(body, "reasoning").get("effort")
    if effort is not None:
        made["reasoning_effort"] = text_of(effort, "reasoning.effort")
    text = object_in(body, "text")
    if text.get("verbosity") is not None:
        made["verbosity"] = text_of(text["verbosity"], "text.verbosity")
    if text.get("format") is not None:
        made["response_format"] = _format(text["format"])
    if body.get("top_logprobs") or "message.output_text.logprobs" in _listed(body, "include"):
        made["logprobs"] = True
    return made


def _format(wanted: Any) -> Json:
    if not isinstance(wanted, dict):
        raise wrong_type("text.format", "an object with a `type`", wanted)
    kind = wanted.get("type")
    if kind in ("text", "json_object"):
        return {"type": kind}
    if kind != "json_schema":
        raise invalid("text.format.type", "`text.format.type` must be one of text, json_object, json_schema.")
    if not isinstance(wanted.get("schema"), dict):
        raise wrong_type("text.format.schema", "a JSON schema object", wanted.get("schema"))
    described = {name: wanted[name] for name in ("name", "description", "schema", "strict") if name in wanted}
    return {"type": "json_schema", "json_schema": {"name": "answer", **described}}


def _listed(body: Json, name: str) -> list[Any]:
    value = body.get(name)
    if value is not None and not isinstance(value, list):
        raise wrong_type(name, "a list", value)
    return value or []
