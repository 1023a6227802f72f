"""How many tokens a Messages body may be, where no provider counts them: an estimate, and nothing better.

Agents ask for it to know when to make their history shorter; a refusal would hurt them more than an error of
a tenth. A token is taken for 3.5 characters of any text in the body, keys and names included.
"""

from __future__ import annotations

from math import ceil
from typing import Any

import orjson

from fastproxy.types import Json

CHARACTERS_PER_TOKEN = 3.5
MEDIA_TOKENS = 1_600
"""For an image or a document, whose base64 says nothing about its tokens: Anthropic's most for one image."""
_COUNTED = ("system", "messages", "tools")


def estimate_tokens(body: Json) -> int:
    """The input tokens of this body, at least 1."""
    characters, media = 0, 0
    waiting: list[Any] = [body.get(name) for name in _COUNTED]
    while waiting:  # no recursion: JSON may be nested deeper than Python's stack
        value = waiting.pop()
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            if value.get("type") == "base64":
                media += 1
                continue
            characters += sum(map(len, value))
            waiting += value.values()
        elif value is not None:
            characters += len(str(value))
    return max(1, ceil(characters / CHARACTERS_PER_TOKEN) + media * MEDIA_TOKENS)


def render_estimate(body: Json) -> bytes:
    """The body of an answer to count_tokens."""
    return orjson.dumps({"input_tokens": estimate_tokens(body)})
