"""What a provider must get back, in the `encrypted_content` of reasoning items: stateless clients bring it.

The text is `fp1.` and base64 of JSON `[[kind, tool-call id, value], ...]`: what `Carry` events hold. It is
not secret and not signed: a client could say the same in a request of its own, and each provider checks the
values before it uses them. What others have written there is not ours, and is passed over.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

import orjson

from fastproxy.wire.events import Carry

_MARK = "fp1."
MAX_BYTES = 1024 * 1024
"""More JSON than this is not carried; what is remembered here must then do."""
_MAX_TEXT = len(_MARK) + (MAX_BYTES + 2) // 3 * 4


def pack(carries: Iterable[Carry]) -> str | None:
    """The text that carries these; None for none, or where they are too large."""
    try:
        data = orjson.dumps([[carry.kind, carry.key, carry.value] for carry in carries])
    except TypeError:  # nested past the encoder, or half a surrogate pair
        return None
    return _MARK + base64.b64encode(data).decode() if 2 < len(data) <= MAX_BYTES else None


def unpack(text: object) -> dict[tuple[str, str], Any]:
    """(kind, tool-call id) -> value; empty for texts that are not ours."""
    if not isinstance(text, str) or not text.startswith(_MARK) or len(text) > _MAX_TEXT:
        return {}
    try:
        entries = orjson.loads(base64.b64decode(text[len(_MARK) :], validate=True))
    except (binascii.Error, ValueError):
        return {}
    return {(entry[0], entry[1]): entry[2] for entry in _listed(entries) if _is_entry(entry)}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, list) and len(entry) == 3 and all(isinstance(name, str) for name in entry[:2])
