"""`response_format` for Claude: structured outputs where the model has them, else a tool it must call.

Source: Anthropic's "Structured outputs" (output_config.format).
"""

from __future__ import annotations

from fastproxy.types import ChatRequest, Dropped, Json
from fastproxy.wire.anthropic.models import Model
from fastproxy.wire.anthropic.schema import closed_schema, input_schema
from fastproxy.wire.anthropic.tools import ANSWER_TOOL, ToolFields, force_answer
from fastproxy.wire.anthropic.values import invalid, object_of, text_of

_WHERE = "response_format.json_schema.schema"
_DEFAULT_DESCRIPTION = "Give the answer to the user by calling this tool."


def wants_schema(request: ChatRequest) -> bool:
    """The client asked for an answer of a given JSON Schema."""
    return object_of(request.parameters.get("response_format")).get("type") == "json_schema"


def apply_format(request: ChatRequest, model: Model, tools: ToolFields) -> tuple[Json | None, list[Dropped]]:
    """`output_config.format`, or None; models without it get ANSWER_TOOL added to `tools` instead."""
    wanted = request.parameters.get("response_format")
    if wanted is None:
        return None, []
    kind = object_of(wanted).get("type")
    if kind == "text":
        return None, []
    if kind == "json_object":
        reason = "Claude needs a schema: use json_schema, or ask for JSON in the prompt"
        return None, [Dropped("response_format", reason)]
    if kind != "json_schema":
        invalid("`response_format.type` must be text, json_object or json_schema.", "response_format.type")
    described = object_of(wanted.get("json_schema"))
    schema = described.get("schema")
    if not isinstance(schema, dict):
        invalid(f"`{_WHERE}` must be a JSON Schema (an object).", _WHERE)
    if model.structured:
        return {"type": "json_schema", "schema": closed_schema(schema, _WHERE)}, []
    if tools.forces():
        return None, [Dropped("response_format", "a tool call is demanded instead of an answer")]
    description = text_of(described.get("description")) or _DEFAULT_DESCRIPTION
    force_answer(tools, input_schema(schema, _WHERE), description)
    return None, []


def is_answer(request: ChatRequest, tool_name: object) -> bool:
    """A call of this tool is the answer itself: its arguments are the text the client wants."""
    return tool_name == ANSWER_TOOL and wants_schema(request)
