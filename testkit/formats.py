"""How each wire format says the same short answer: data only, so that a new format is a new entry.

Shapes: OpenAI's and Anthropic's API references, Vertex's `GenerateContentResponse`, Ollama's `docs/api.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

Json = dict[str, Any]

TEXT = "@TEXT@"
"""Stands for the text in an event's template."""
_CREATED = 1_790_000_000
_DATE = "2026-11-02T12:00:00.000000Z"


@dataclass(frozen=True, slots=True)
class StreamTemplate:
    """The bytes of a stream: before the content, around each piece of text, and after the content."""

    content_type: str
    opening: tuple[bytes, ...]
    before_text: bytes
    after_text: bytes
    closing: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """One wire format: its whole answer, and its stream."""

    unary: Callable[[str, str], Json]
    """(model, text) -> the answer."""
    stream: Callable[[str, bool], StreamTemplate]
    """(model, whether usage was asked for) -> the stream."""


def _sse(document: Json, event: str = "", newline: bytes = b"\n") -> bytes:
    name = f"event: {event}".encode() + newline if event else b""
    return name + b"data: " + orjson.dumps(document) + newline * 2


def _template(
    content_type: str, opening: Sequence[bytes], content: bytes, closing: Sequence[bytes]
) -> StreamTemplate:
    before, after = content.split(TEXT.encode())
    return StreamTemplate(content_type, tuple(opening), before, after, tuple(closing))


def _openai_usage() -> Json:
    return {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def _openai_unary(model: str, text: str) -> Json:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-mock",
        "object": "chat.completion",
        "created": _CREATED,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _openai_usage(),
    }


def _openai_stream(model: str, include_usage: bool) -> StreamTemplate:
    def chunk(delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _sse({**envelope, "choices": [choice]} | ({"usage": None} if include_usage else {}))

    envelope = {
        "id": "chatcmpl-mock",
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": model,
    }
    usage = [_sse({**envelope, "choices": [], "usage": _openai_usage()})] if include_usage else []
    return _template(
        "text/event-stream; charset=utf-8",
        [chunk({"role": "assistant", "content": ""})],
        chunk({"content": TEXT}),
        [chunk({}, "stop"), *usage, b"data: [DONE]\n\n"],
    )


def _anthropic_message(model: str) -> Json:
    return {
        "id": "msg_mock",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 1},
    }


def _anthropic_unary(model: str, text: str) -> Json:
    return _anthropic_message(model) | {
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 9, "output_tokens": 4},
    }


def _anthropic_stream(model: str, _include_usage: bool) -> StreamTemplate:
    def event(kind: str, **fields: object) -> bytes:
        return _sse({"type": kind, **fields}, kind)

    return _template(
        "text/event-stream; charset=utf-8",
        [
            event("message_start", message=_anthropic_message(model)),
            event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            event("ping"),
        ],
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": TEXT}),
        [
            event("content_block_stop", index=0),
            event(
                "message_delta",
                delta={"stop_reason": "end_turn", "stop_sequence": None},
                usage={"output_tokens": 4},
            ),
            event("message_stop"),
        ],
    )


def _gemini_unary(model: str, text: str, finish: str | None = "STOP") -> Json:
    candidate: Json = {"content": {"role": "model", "parts": [{"text": text}]}}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 13},
        "modelVersion": model,
        "createTime": _DATE,
        "responseId": "gemini-mock",
    }


def _gemini_stream(model: str, _include_usage: bool) -> StreamTemplate:
    return _template(
        "text/event-stream",
        [],
        _sse(_gemini_unary(model, TEXT, None), newline=b"\r\n"),
        [_sse(_gemini_unary(model, ""), newline=b"\r\n")],
    )


def _ollama_unary(model: str, text: str) -> Json:
    return {
        "model": model,
        "created_at": _DATE,
        "message": {"role": "assistant", "content": text},
        "done": True,
        "done_reason": "stop",
        "total_duration": 4_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_count": 9,
        "prompt_eval_duration": 1_000_000,
        "eval_count": 4,
        "eval_duration": 2_000_000,
    }


def _ollama_stream(model: str, _include_usage: bool) -> StreamTemplate:
    last = _ollama_unary(model, "")
    line = {key: last[key] for key in ("model", "created_at")}
    content = {**line, "message": {"role": "assistant", "content": TEXT}, "done": False}
    return _template("application/x-ndjson", [], orjson.dumps(content) + b"\n", [orjson.dumps(last) + b"\n"])


OPENAI = Format(_openai_unary, _openai_stream)
ANTHROPIC = Format(_anthropic_unary, _anthropic_stream)
GEMINI = Format(_gemini_unary, _gemini_stream)
OLLAMA = Format(_ollama_unary, _ollama_stream)

MODELS: Json = {
    "object": "list",
    "data": [
        {"id": "mock-1", "object": "model", "created": _CREATED, "owned_by": "mock"},
        {"id": "mock-2", "object": "model", "created": _CREATED, "owned_by": "mock"},
    ],
}
_LLAMA: Json = {
    "name": "llama3.2:latest",
    "model": "llama3.2:latest",
    "modified_at": _DATE,
    "size": 2_019_393_189,
}
GOOGLE_TOKEN: Json = {"access_token": "mock-google-token", "expires_in": 3599, "token_type": "Bearer"}
SERVICE_ACCOUNT: Json = {
    "aliases": ["default"],
    "email": "mock@mock-project.iam.gserviceaccount.com",
    "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
}

DOCUMENTS: dict[str, Json | str] = {
    "/models": MODELS,
    "/api/tags": {"models": [_LLAMA]},
    "/api/version": {"version": "0.6.3"},
    "/token": GOOGLE_TOKEN,
    "/computeMetadata/v1/instance/service-accounts/default/": SERVICE_ACCOUNT,
    "/computeMetadata/v1/project/project-id": "mock-project",
    "/computeMetadata/v1/universe/universe-domain": "googleapis.com",
    "/computeMetadata/v1": "",
    "/computeMetadata/v1/": "",
}
"""Answers that do not depend on the request, by the end of its path (`/token`: the metadata server's too)."""
