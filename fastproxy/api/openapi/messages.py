"""Anthropic's Messages API as far as this proxy reads and writes it (`anthropic` Python SDK, `types/`)."""

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
    or_null,
    ref,
    said,
    text,
)
from fastproxy.types import Json

_MODEL = text("A name of GET /v1/models, or an alias of the configuration.", maxLength=256)
_BLOCK = make_object("type", {"type": text("text, image, tool_use, tool_result, thinking, document, ...")})
_PROMPT: Json = {
    "model": _MODEL,
    "messages": make_list(ref("MessagesTurn"), minItems=1),
    "system": {"oneOf": [text(), make_list(ref("MessagesBlock"))]},
    "tools": make_list(ANY_OBJECT),
    "tool_choice": ANY_OBJECT,
    "thinking": ANY_OBJECT,
}

MESSAGES: Json = {
    "MessagesBlock": {
        **_BLOCK,
        "description": "A content block of Anthropic's, with the fields of its type.",
    },
    "MessagesTurn": make_object(
        "role content",
        {
            "role": text(enum=["user", "assistant"]),
            "content": {"oneOf": [text(), make_list(ref("MessagesBlock"))]},
        },
    ),
    "MessagesRequest": make_object(
        "model messages max_tokens",
        {
            **_PROMPT,
            "max_tokens": said(INTEGER, "Limit of the answer's length."),
            "stream": FLAG,
            "temperature": NUMBER,
            "top_p": NUMBER,
            "top_k": INTEGER,
            "stop_sequences": make_list(text()),
            "metadata": ANY_OBJECT,
        },
        "Anthropic's Messages request. It passes untouched to a Claude, and is translated for other models.",
    ),
    "CountTokensRequest": make_object("model messages", _PROMPT),
    "AnthropicMessage": make_object(
        "id type role model content stop_reason usage",
        {
            "id": text(),
            "type": literal("message"),
            "role": literal("assistant"),
            "model": text(),
            "content": make_list(ref("MessagesBlock")),
            "stop_reason": or_null(text()),
            "stop_sequence": or_null(text()),
            "usage": make_object("input_tokens output_tokens", {"input_tokens": SIZE, "output_tokens": SIZE}),
        },
    ),
    "MessagesEvent": make_object(
        "type", {"type": text("message_start, content_block_delta, ..., ping, error.")}
    ),
    "TokenCount": make_object("input_tokens", {"input_tokens": SIZE}),
    "AnthropicError": make_object(
        "type error",
        {
            "type": literal("error"),
            "error": make_object("type message", {"type": text(), "message": text()}),
            "request_id": text(),
        },
        "Anthropic's error envelope: for these paths, and for clients that send `anthropic-version`.",
    ),
}
"""The components of Anthropic's surface, by name."""
