"""Gemini's `logprobsResult` as OpenAI's `logprobs.content` items."""

from __future__ import annotations

from typing import Any

from fastproxy.types import Json


def logprobs(result: object) -> tuple[Json, ...]:
    """One item a token that was chosen, each with the alternatives that were asked for."""
    if not isinstance(result, dict):
        return ()
    chosen, tops = _list(result.get("chosenCandidates")), _list(result.get("topCandidates"))
    items = []
    for position, candidate in enumerate(chosen):
        top = tops[position] if position < len(tops) else None
        others = _list(top.get("candidates")) if isinstance(top, dict) else []
        items.append({**_token(candidate), "top_logprobs": [_token(other) for other in others]})
    return tuple(items)


def _token(candidate: object) -> Json:
    found = candidate if isinstance(candidate, dict) else {}
    token, value = str(found.get("token") or ""), found.get("logProbability")
    return {
        "token": token,
        "logprob": value if isinstance(value, int | float) else 0.0,  # protobuf leaves zeros out
        "bytes": list(token.encode("utf-8", "replace")),
    }


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
