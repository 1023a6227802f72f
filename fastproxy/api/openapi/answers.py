"""What clients get: OpenAI's shapes (`openai` Python SDK 3.54, `types/`), as far as we write them."""

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

_FINISH_REASONS = ["stop", "length", "tool_calls", "content_filter"]

_CHAT_ANSWER: Json = {
    "Usage": make_object(
        "prompt_tokens completion_tokens total_tokens",
        {
            "prompt_tokens": SIZE,
            "completion_tokens": SIZE,
            "total_tokens": SIZE,
            "prompt_tokens_details": make_object("", {"cached_tokens": SIZE}),
            "completion_tokens_details": make_object("", {"reasoning_tokens": SIZE}),
        },
        "The provider's own count; absent where it gave none.",
    ),
    "AnswerMessage": make_object(
        "role content",
        {
            "role": literal("assistant"),
            "content": or_null(text()),
            "refusal": or_null(text()),
            "reasoning_content": or_null(text()),
            "tool_calls": make_list(ref("ToolCall")),
        },
    ),
    "ChatCompletion": make_object(
        "id object created model choices",
        {
            "id": text(),
            "object": literal("chat.completion"),
            "created": said(INTEGER, "Unix time in seconds."),
            "model": text("The name that was asked for; x-fastproxy-model tells who answered."),
            "choices": make_list(
                make_object(
                    "index message finish_reason",
                    {
                        "index": SIZE,
                        "message": ref("AnswerMessage"),
                        "finish_reason": text(enum=_FINISH_REASONS),
                        "logprobs": {"type": ["object", "null"]},
                    },
                )
            ),
            "usage": ref("Usage"),
        },
    ),
    "ToolCallDelta": make_object(
        "index",
        {
            "index": SIZE,
            "id": text("In the first delta of a call only, as `type` and `function.name`."),
            "type": literal("function"),
            "function": make_object("", {"name": text(), "arguments": text("A piece of the JSON.")}),
        },
    ),
    "ChatCompletionChunk": make_object(
        "id object created model choices",
        {
            "id": text("The same in all chunks, as `created` and `model`."),
            "object": literal("chat.completion.chunk"),
            "created": INTEGER,
            "model": text(),
            "choices": make_list(
                make_object(
                    "index delta",
                    {
                        "index": SIZE,
                        "delta": make_object(
                            "",
                            {
                                "role": literal("assistant"),
                                "content": or_null(text()),
                                "reasoning_content": or_null(text()),
                                "refusal": or_null(text()),
                                "tool_calls": make_list(ref("ToolCallDelta")),
                            },
                        ),
                        "finish_reason": {"type": ["string", "null"], "enum": [*_FINISH_REASONS, None]},
                        "logprobs": {"type": ["object", "null"]},
                    },
                )
            ),
            "usage": {"oneOf": [ref("Usage"), {"type": "null"}]},
        },
        "One `data:` event of a stream. The stream ends with `data: [DONE]`; one that broke ends with an "
        "Error event and without it.",
    ),
}

_EMBEDDINGS: Json = {
    "Embeddings": make_object(
        "object data model usage",
        {
            "object": literal("list"),
            "data": make_list(
                make_object(
                    "object index embedding",
                    {
                        "object": literal("embedding"),
                        "index": SIZE,
                        "embedding": {
                            "oneOf": [make_list(NUMBER), text("Base64 of little-endian 32-bit floats.")]
                        },
                    },
                )
            ),
            "model": text(),
            "usage": make_object("prompt_tokens total_tokens", {"prompt_tokens": SIZE, "total_tokens": SIZE}),
        },
    ),
}

_OTHERS: Json = {
    "Model": make_object(
        "id object created owned_by",
        {
            "id": text(),
            "object": literal("model"),
            "created": INTEGER,
            "owned_by": text("The provider's name in the configuration."),
            "name": text(),
            "context_length": SIZE,
            "context_window": SIZE,
            "max_output_tokens": SIZE,
            "input_modalities": make_list(text()),
            "output_modalities": make_list(text()),
            "supports_tool_use": FLAG,
            "supports_reasoning": FLAG,
            "capabilities": {"type": "object", "additionalProperties": FLAG},
        },
    ),
    "ModelList": make_object("object data", {"object": literal("list"), "data": make_list(ref("Model"))}),
    "Status": make_object("status", {"status": text(enum=["ok", "draining"])}),
    "Health": make_object(
        "status version uptime_seconds in_flight providers",
        {
            "status": text(enum=["ok", "draining"]),
            "version": text(),
            "uptime_seconds": NUMBER,
            "in_flight": SIZE,
            "providers": said(ANY_OBJECT, "Each configured provider's state, by name."),
        },
    ),
    "Error": make_object(
        "error",
        {
            "error": make_object(
                "message type param code",
                {
                    "message": text("What happened, and what to do."),
                    "type": text(),
                    "param": or_null(text("The field of the request that is wrong: `messages[2].content`.")),
                    "code": or_null(text("Stable; see docs/failure-modes.md.")),
                },
            )
        },
        "OpenAI's error envelope, for every fault.",
    ),
}


ANSWERS: Json = {**_CHAT_ANSWER, **_EMBEDDINGS, **_OTHERS}
"""The components of answers, by name."""
