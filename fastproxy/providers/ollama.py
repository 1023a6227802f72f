"""Ollama as a provider: the row, and what its /api/tags and /api/show tell about its models.

Source: Ollama's docs/api.md ("List Local Models", "Show Model Information").
"""

from __future__ import annotations

from typing import NamedTuple

from fastproxy.providers.contract import Provider
from fastproxy.types import Json
from fastproxy.wire.ollama.embeddings import build_embeddings, parse_embeddings
from fastproxy.wire.ollama.errors import bad_response, parse_error
from fastproxy.wire.ollama.request import build_request
from fastproxy.wire.ollama.response import parse_object, parse_response
from fastproxy.wire.ollama.stream import translate_stream

OLLAMA = Provider(
    build_request=build_request,
    parse_response=parse_response,
    translate_stream=translate_stream,
    parse_error=parse_error,
    build_embeddings=build_embeddings,
    parse_embeddings=parse_embeddings,
    strips_prefix=True,
)


class Shown(NamedTuple):
    """What /api/show says of one model."""

    capabilities: tuple[str, ...]
    """Ollama's words: completion, tools, vision, thinking, embedding, insert."""
    context_length: int | None
    """The most tokens of context that the model was made for; None where it is not told."""


def parse_tags(body: bytes) -> list[Json]:
    """The models in an answer of /api/tags, each with at least a `name`; raises UpstreamError for garbage."""
    models = parse_object(body).get("models")
    if models is None:  # how Go writes an empty list
        return []
    if not isinstance(models, list):
        raise bad_response("/api/tags answered without a list of models.")
    return [model for model in models if isinstance(model, dict) and isinstance(model.get("name"), str)]


def parse_show(body: bytes) -> Shown:
    """What an answer of /api/show tells; raises UpstreamError for garbage."""
    shown = parse_object(body)
    words = shown.get("capabilities")
    info = shown.get("model_info")
    capabilities = tuple(word for word in words if isinstance(word, str)) if isinstance(words, list) else ()
    return Shown(capabilities, _context_length(info) if isinstance(info, dict) else None)


def _context_length(info: Json) -> int | None:
    named = f"{info.get('general.architecture')}.context_length"
    others = (name for name in info if name.endswith(".context_length"))
    value = info.get(named if named in info else next(others, ""))
    return value if type(value) is int and value > 0 else None
