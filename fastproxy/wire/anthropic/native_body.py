"""A client's own Messages body on its way to a Claude: its very bytes wherever nothing has to be changed."""

from __future__ import annotations

from fastproxy.types import Json
from fastproxy.wire.anthropic.message import SIGNATURE
from fastproxy.wire.anthropic.values import encode, object_of

_SIGNATURE = SIGNATURE.encode()
_MODEL = b'"model"'
_ESCAPED = b"\\u006"
"""Begins every escape of a letter of "model"."""


def native_body(body: bytes, message: Json, model: str) -> bytes:
    """The bytes to send for `body`, which was decoded to `message`, to the model of this name."""
    signed = signed_message(body, message)
    if signed is message and message.get("model") == model and _has_one_reading(body, message):
        return body
    return encode({**signed, "model": model})


def signed_message(body: bytes, message: Json) -> Json:
    """The message without the thoughts of other models, which Claude would refuse as unsigned; the same
    object where there are none."""
    messages = message.get("messages")
    if _SIGNATURE not in body or not isinstance(messages, list):
        return message
    kept = [_turn(turn) for turn in messages]
    return {**message, "messages": [turn for turn in kept if turn is not None]}


def _turn(turn: object) -> object:
    """The turn without unsigned thoughts; None where it held nothing else."""
    content = object_of(turn).get("content")
    if not isinstance(content, list):
        return turn
    kept = [block for block in content if object_of(block).get("signature") != SIGNATURE]
    return {**object_of(turn), "content": kept} if kept else None


def _has_one_reading(body: bytes, message: Json) -> bool:
    """Whether no other JSON reader can find another model in these bytes: a key given twice counts as its
    last value here, and for some upstream it may be the first. What is encoded anew has each key once."""
    if _ESCAPED in body:
        return False
    found = body.count(_MODEL)
    return found == 1 or found == encode(message).count(_MODEL)
