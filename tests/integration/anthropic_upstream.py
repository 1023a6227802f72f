"""What Anthropic's API answers, as the mock's replies, and what reached it."""

from __future__ import annotations

from typing import Any

import orjson

from testkit.mock import SSE_HEADERS, MockUpstream, Recorded

Json = dict[str, Any]

COUNTS: Json = {
    "input_tokens": 10,
    "cache_read_input_tokens": 8,
    "cache_creation_input_tokens": 2,
    "output_tokens": 7,
}
_GROWN = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}


def text(said: str) -> Json:
    return {"type": "text", "text": said}


def thinking(thought: str, signature: str) -> Json:
    return {"type": "thinking", "thinking": thought, "signature": signature}


def use(call_id: str, name: str, given: Json) -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def message(*blocks: Json, stop: str = "end_turn", model: str = "claude-mock") -> Json:
    """A whole message."""
    return {
        "id": "msg_up",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": list(blocks),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": COUNTS,
    }


def stream(*blocks: Json, stop: str = "end_turn", model: str = "claude-mock") -> list[bytes]:
    """The events of the same message, each with its empty line."""
    begun = {**message(model=model), "stop_reason": None, "usage": {**COUNTS, "output_tokens": 1}}
    events = [event("message_start", message=begun), event("ping")]
    for index, block in enumerate(blocks):
        events += _block(index, block)
    delta = {"stop_reason": stop, "stop_sequence": None}
    return [
        *events,
        event("message_delta", delta=delta, usage={"output_tokens": 7}),
        event("message_stop"),
    ]


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields}))


def _block(index: int, block: Json) -> list[bytes]:
    kind = block["type"]
    if kind == "tool_use":
        begun, grown = {**block, "input": {}}, ("input_json_delta", "partial_json")
        whole = orjson.dumps(block["input"]).decode()
    else:
        begun, grown = {**block, _GROWN[kind][1]: ""}, _GROWN[kind]
        whole = block[_GROWN[kind][1]]
    deltas = [{"type": grown[0], grown[1]: piece} for piece in (whole[:2], whole[2:])]
    if "signature" in block:
        begun["signature"] = ""
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    return [
        event("content_block_start", index=index, content_block=begun),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    ]


def reply(*blocks: Json, streamed: bool, stop: str = "end_turn", model: str = "claude-mock") -> Json:
    """The mock's reply that says these blocks."""
    if not streamed:
        return {"json": message(*blocks, stop=stop, model=model)}
    pieces = [piece.decode() for piece in stream(*blocks, stop=stop, model=model)]
    return {"chunks": pieces, "headers": SSE_HEADERS}


def half_an_answer() -> list[str]:
    """The events of "Half an answer" up to its first two letters."""
    return [piece.decode() for piece in stream(text("Half an answer"))[:4]]


def refusal(status: int, kind: str, told: str = "what happened", **headers: str) -> Json:
    """The mock's reply that is an error of Anthropic's."""
    error = {"type": "error", "error": {"type": kind, "message": told}, "request_id": "req_up"}
    return {"status": status, "json": error, "headers": headers}


def answer_with(mock: MockUpstream, *replies: Json) -> None:
    """Scripts the model's replies, at either door; Google's token endpoint goes on by itself."""
    mock.script(*replies, path="/messages")
    mock.script(*replies, path="Predict")


def sent(mock: MockUpstream) -> list[Recorded]:
    """The model's requests; those for tokens and models are left out."""
    return [request for request in mock.requests() if request.path.endswith(("/messages", "Predict"))]
