"""OpenAI's old completions as far as this proxy reads and writes them (`openai` SDK, `types/`)."""

from __future__ import annotations

from fastproxy.api.openapi.words import (
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

_HEAD: Json = {
    "id": text(),
    "object": literal("text_completion"),
    "created": said(INTEGER, "Unix time in seconds."),
    "model": text("The name that was asked for."),
    "choices": make_list(
        make_object(
            "text index finish_reason",
            {
                "text": text(),
                "index": SIZE,
                "logprobs": {"type": "null"},
                "finish_reason": or_null(text(enum=["stop", "length", "content_filter"])),
            },
        )
    ),
    "usage": ref("Usage"),
}

COMPLETIONS: Json = {
    "CompletionRequest": make_object(
        "model prompt",
        {
            "model": text("A name of GET /v1/models, or an alias of the configuration.", maxLength=256),
            "prompt": text("The text to go on with; one for each request."),
            "suffix": text("What follows the gap that is to be filled."),
            "stream": FLAG,
            "stream_options": make_object("", {"include_usage": FLAG}),
            "max_tokens": INTEGER,
            "temperature": NUMBER,
            "top_p": NUMBER,
            "stop": {"oneOf": [text(), make_list(text())]},
        },
        "DeepSeek, Ollama and OpenAI-compatible servers go on with the text or fill the gap; other models "
        "are asked in a chat.",
    ),
    "Completion": make_object("id object created model choices", _HEAD),
}
