"""Ollama as a provider: the row, and what its /api/tags and /api/show tell about its models.

Source: Ollama's docs/api.md ("List Local Models", "Show Model Information").
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from fastproxy.providers.contract import Listing, Provider, TextCompletion
from fastproxy.types import Deployment, Json
from fastproxy.wire.ollama.embeddings import build_embeddings, parse_embeddings
from fastproxy.wire.ollama.errors import bad_response, parse_error
from fastproxy.wire.ollama.generate import build_generate
from fastproxy.wire.ollama.options import num_ctx_of
from fastproxy.wire.ollama.request import build_request
from fastproxy.wire.ollama.response import parse_object, parse_response
from fastproxy.wire.ollama.stream import translate_stream
from fastproxy.wire.openai.models import ModelInfo, unix_time


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


_CAPABILITIES = {"tools": "tools", "vision": "vision", "thinking": "reasoning", "embedding": "embedding"}
"""Ollama's words -> those of the list of models."""


def list_models(body: bytes) -> list[ModelInfo]:
    """The models in an answer of /api/tags; raises UpstreamError for garbage."""
    return [ModelInfo(tag["name"], "", created=unix_time(tag.get("modified_at"))) for tag in parse_tags(body)]


def add_detail(model: ModelInfo, body: bytes, deployment: Deployment) -> ModelInfo:
    """The model with what /api/show tells. Its context is what requests here can use: `num_ctx`, unless the
    model was made for less."""
    shown = parse_show(body)
    usable = num_ctx_of(deployment.options, model.id)
    known = frozenset(_CAPABILITIES[word] for word in shown.capabilities if word in _CAPABILITIES)
    return replace(
        model,
        context_length=min(usable, shown.context_length or usable),
        capabilities=known if shown.capabilities else None,
    )


OLLAMA = Provider(
    build_request=build_request,
    parse_response=parse_response,
    translate_stream=translate_stream,
    parse_error=parse_error,
    build_embeddings=build_embeddings,
    parse_embeddings=parse_embeddings,
    text_completion=TextCompletion(build_generate, parse_response, translate_stream),
    listing=Listing(
        "/api/tags",
        list_models,
        detail_path="/api/show",
        add_detail=add_detail,
        product="Ollama",
        start="start it: `ollama serve`",
        fetch="fetch it: `ollama pull {model}`",
    ),
    strips_prefix=True,
)
