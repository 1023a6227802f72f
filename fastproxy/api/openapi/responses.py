"""OpenAI's Responses API as far as we read and write it (`openai` Python SDK, `types/responses/`)."""

from __future__ import annotations

from fastproxy.api.openapi.words import (
    ANY_OBJECT,
    FLAG,
    INTEGER,
    NUMBER,
    SIZE,
    literal,
    make_list,
    make_object,
    ref,
    said,
    text,
)
from fastproxy.types import Json

_ITEM = make_object("", {"type": text("message, function_call, function_call_output, reasoning, ...")})

RESPONSES: Json = {
    "ResponseItem": said(_ITEM, "An item of OpenAI's Responses API, with the fields of its type."),
    "ResponsesRequest": make_object(
        "model input",
        {
            "model": text("A name of GET /v1/models, or an alias of the configuration.", maxLength=256),
            "input": {"oneOf": [text(), make_list(ref("ResponseItem"))]},
            "instructions": text(),
            "stream": FLAG,
            "tools": make_list(ANY_OBJECT),
            "tool_choice": {"oneOf": [text(), ANY_OBJECT]},
            "parallel_tool_calls": FLAG,
            "max_output_tokens": INTEGER,
            "temperature": NUMBER,
            "top_p": NUMBER,
            "reasoning": ANY_OBJECT,
            "text": ANY_OBJECT,
            "include": make_list(text()),
            "metadata": ANY_OBJECT,
        },
        "OpenAI's Responses request. Nothing is stored here: send the whole conversation in `input`.",
    ),
    "Response": make_object(
        "id object created_at status model output",
        {
            "id": text(),
            "object": literal("response"),
            "created_at": NUMBER,
            "status": text(enum=["completed", "incomplete", "failed", "in_progress"]),
            "model": text(),
            "output": make_list(ref("ResponseItem")),
            "usage": {
                "oneOf": [
                    make_object(
                        "input_tokens output_tokens total_tokens",
                        {"input_tokens": SIZE, "output_tokens": SIZE, "total_tokens": SIZE},
                    ),
                    {"type": "null"},
                ]
            },
        },
    ),
    "ResponseEvent": make_object(
        "type", {"type": text("response.created, response.output_text.delta, ..., response.completed.")}
    ),
}
"""The components of the Responses surface, by name."""
