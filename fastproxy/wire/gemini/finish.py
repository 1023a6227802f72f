"""Gemini's finish reasons as OpenAI's four. A word not listed here is a normal end: Google adds new ones."""

from __future__ import annotations

_FILTERED = frozenset(
    (
        "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "JAILBREAK",
        "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_OTHER", "IMAGE_RECITATION", "NO_IMAGE",
    )
)  # fmt: skip
NO_SIGNATURE = "MISSING_THOUGHT_SIGNATURE"
FAILED = frozenset(
    (
        "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE",
        NO_SIGNATURE,
    )
)  # fmt: skip
"""The model went astray: an end where it said something before, a fault worth a retry where not."""


def finish_reason(native: str, *, blocked: bool, called: bool) -> str:
    """OpenAI's word for the end of a choice; `blocked` prompts are filtered, whatever the word."""
    if native == "MAX_TOKENS":
        return "length"
    if blocked or native in _FILTERED:
        return "content_filter"
    return "tool_calls" if called else "stop"
