"""What Vertex AI answers, as the mock's replies, and what reached it."""

from __future__ import annotations

from typing import Any

from testkit.mock import SSE_HEADERS, MockUpstream, Recorded, sse

Json = dict[str, Any]

MODELS = ("gemini-2.0-flash", "gemini-2.5-pro", "gemini-3-pro-preview")
SIGNATURE = "c2lnbmF0dXJlLW9uZQ=="
BYPASS = "skip_thought_signature_validator"
COUNTS = {
    "promptTokenCount": 20,
    "candidatesTokenCount": 6,
    "thoughtsTokenCount": 5,
    "cachedContentTokenCount": 8,
    "totalTokenCount": 31,
}


def text(said: str, **more: Any) -> Json:
    return {"text": said, **more}


def call(name: str, arguments: Json, signature: str = "") -> Json:
    part: Json = {"functionCall": {"name": name, "args": arguments}}
    return part | ({"thoughtSignature": signature} if signature else {})


def response(parts: list[Json], finish: str = "", **more: Any) -> Json:
    """A GenerateContentResponse; without `finish` it is a stream's chunk."""
    candidate: Json = {"content": {"role": "model", "parts": parts}}
    if finish:
        candidate["finishReason"] = finish
        more = {"usageMetadata": COUNTS, **more}
    return {"candidates": [candidate], "modelVersion": "gemini-mock", **more}


def events(*chunks: Json | str, **more: Any) -> Json:
    """The mock's reply that streams these chunks as Vertex AI does."""
    return {"chunks": sse(chunks, "\r\n"), "headers": SSE_HEADERS, **more}


def reply(*parts: Json, stream: bool, finish: str = "STOP") -> Json:
    """The mock's reply that says these parts: whole, or one a chunk and the finish in a chunk of its own."""
    if not stream:
        return {"json": response(list(parts), finish)}
    return events(*(response([part]) for part in parts), response([text("")], finish))


def refusal(status: int, message: str, name: str = "", details: list[Json] | None = None) -> Json:
    """The mock's reply that is an error of Google's."""
    error = {"code": status, "message": message, "status": name, "details": details or []}
    return {"status": status, "json": {"error": error}}


def answer_with(mock: MockUpstream, *replies: Json) -> None:
    """Scripts the model's replies; the token endpoint goes on by itself."""
    mock.script(*replies, path="Content")


def sent(mock: MockUpstream) -> list[Recorded]:
    """The model's requests; those for tokens are left out."""
    return [request for request in mock.requests() if ":" in request.path]


def signatures(request: Recorded) -> list[str | None]:
    """The thought signature beside each function call of a request."""
    parts = (part for content in request.json()["contents"] for part in content["parts"])
    return [part.get("thoughtSignature") for part in parts if "functionCall" in part]
