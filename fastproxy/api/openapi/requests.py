"""What clients send: OpenAI's shapes (`openai` Python SDK 3.54, `types/`), as far as this proxy reads them.

Further fields are allowed: each provider picks what it understands.
"""

from __future__ import annotations

from fastproxy.api.openapi.words import (
    ANY_OBJECT,
    FLAG,
    INTEGER,
    NUMBER,
    literal,
    make_list,
    make_object,
    or_null,
    ref,
    said,
    text,
)
from fastproxy.types import Json

_MODEL_NAME = text(
    "A name of GET /v1/models, or an alias of the configuration.", maxLength=256, examples=["demo-echo"]
)

_CHAT_REQUEST: Json = {
    "ChatCompletionRequest": make_object(
        "model messages",
        {
            "model": _MODEL_NAME,
            "messages": make_list(ref("Message"), minItems=1),
            "stream": said(FLAG, "Answer with server-sent events."),
            "stream_options": make_object("", {"include_usage": FLAG}),
            "temperature": NUMBER,
            "top_p": NUMBER,
            "n": INTEGER,
            "max_completion_tokens": INTEGER,
            "max_tokens": INTEGER,
            "stop": {"oneOf": [text(), make_list(text())]},
            "seed": INTEGER,
            "frequency_penalty": NUMBER,
            "presence_penalty": NUMBER,
            "logit_bias": {"type": "object", "additionalProperties": NUMBER},
            "logprobs": FLAG,
            "top_logprobs": INTEGER,
            "tools": make_list(ref("Tool")),
            "tool_choice": ref("ToolChoice"),
            "parallel_tool_calls": FLAG,
            "response_format": ref("ResponseFormat"),
            "reasoning_effort": text("none, minimal, low, medium, high, xhigh: as far as the model can."),
            "user": text(),
            "metadata": ANY_OBJECT,
        },
        "OpenAI's Chat Completions request. Fields that a provider has no equivalent for are named in the "
        "answer's x-fastproxy-warning header.",
    ),
    "ResponseFormat": {
        "oneOf": [
            make_object("type", {"type": text(enum=["text", "json_object"])}),
            make_object(
                "type json_schema",
                {
                    "type": literal("json_schema"),
                    "json_schema": make_object(
                        "name schema",
                        {
                            "name": text(),
                            "description": text(),
                            "schema": ANY_OBJECT,
                            "strict": FLAG,
                        },
                    ),
                },
            ),
        ]
    },
}

_CONTENT: Json = {
    "TextPart": make_object("type text", {"type": literal("text"), "text": text()}),
    "ImagePart": make_object(
        "type image_url",
        {
            "type": literal("image_url"),
            "image_url": make_object(
                "url",
                {
                    "url": text("A data: URL, or an address that the provider itself can fetch."),
                    "detail": text(enum=["auto", "low", "high"]),
                },
            ),
        },
    ),
    "AudioPart": make_object(
        "type input_audio",
        {
            "type": literal("input_audio"),
            "input_audio": make_object("data format", {"data": text("Base64."), "format": text()}),
        },
    ),
    "FilePart": make_object(
        "type file",
        {
            "type": literal("file"),
            "file": make_object(
                "", {"file_data": text("A data: URL."), "file_id": text(), "filename": text()}
            ),
        },
    ),
    "ContentPart": {"oneOf": [ref("TextPart"), ref("ImagePart"), ref("AudioPart"), ref("FilePart")]},
    "Content": {"oneOf": [text(), make_list(ref("ContentPart"))]},
}

_TOOLS: Json = {
    "ToolCall": make_object(
        "id type function",
        {
            "id": text(),
            "type": literal("function"),
            "function": make_object("name arguments", {"name": text(), "arguments": text("A JSON object.")}),
        },
    ),
    "Tool": make_object(
        "type function",
        {
            "type": literal("function"),
            "function": make_object(
                "name",
                {
                    "name": text(minLength=1),
                    "description": text(),
                    "parameters": said(ANY_OBJECT, "A JSON schema."),
                    "strict": FLAG,
                },
            ),
        },
    ),
    "ToolChoice": {
        "oneOf": [
            text(enum=["auto", "none", "required"]),
            make_object(
                "type function",
                {"type": literal("function"), "function": make_object("name", {"name": text()})},
            ),
        ]
    },
}

_MESSAGES: Json = {
    "InstructionMessage": make_object(
        "role content", {"role": text(enum=["system", "developer"]), "content": ref("Content")}
    ),
    "UserMessage": make_object(
        "role content", {"role": literal("user"), "content": ref("Content"), "name": text()}
    ),
    "AssistantMessage": make_object(
        "role",
        {
            "role": literal("assistant"),
            "content": {"oneOf": [text(), make_list(ref("ContentPart")), {"type": "null"}]},
            "reasoning_content": or_null(text()),
            "refusal": or_null(text()),
            "tool_calls": make_list(ref("ToolCall")),
        },
        "A model's turn as it came. What a client drops of it (signatures, reasoning) is added again here.",
    ),
    "ToolMessage": make_object(
        "role tool_call_id content",
        {"role": literal("tool"), "tool_call_id": text(), "content": ref("Content")},
    ),
    "Message": {
        "oneOf": [
            ref("InstructionMessage"),
            ref("UserMessage"),
            ref("AssistantMessage"),
            ref("ToolMessage"),
        ]
    },
}

_EMBEDDINGS: Json = {
    "EmbeddingsRequest": make_object(
        "model input",
        {
            "model": _MODEL_NAME,
            "input": {"oneOf": [text(minLength=1), make_list(text(minLength=1), minItems=1)]},
            "encoding_format": text(enum=["float", "base64"]),
            "dimensions": {"type": "integer", "minimum": 1},
            "user": text(),
        },
    ),
}

_DEPLOYMENT: Json = {
    "DeploymentChatCompletionRequest": {
        **_CHAT_REQUEST["ChatCompletionRequest"],
        "required": ["messages"],
        "description": "A ChatCompletionRequest whose `model` is not read.",
    },
}

REQUESTS: Json = {**_CHAT_REQUEST, **_DEPLOYMENT, **_MESSAGES, **_CONTENT, **_TOOLS, **_EMBEDDINGS}
"""The components of requests, by name."""
