"""The list of models as OpenAI's clients read it, with the further fields that some clients look for; and the
lists of servers that speak the same.

`id`, `object`, `created` and `owned_by` are OpenAI's (`openai` Python SDK 3.54, `types/model.py`); the rest
is de facto, read by clients that discover what a local server can do. What is not known is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import orjson

from fastproxy.types import Json
from fastproxy.wire.openai.errors import bad_response


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model that can be asked for."""

    id: str
    owned_by: str
    """The provider's name."""
    created: int = 0
    """Unix time in seconds; 0 where nobody knows it."""
    name: str = ""
    """For people to read; empty: the id."""
    context_length: int | None = None
    """Tokens, prompt and answer together."""
    max_output_tokens: int | None = None
    capabilities: frozenset[str] | None = None
    """Among tools, vision, reasoning, embedding; None: not known."""


_LONGEST_NAME = 256
_CAPABILITIES = ("tools", "vision", "reasoning", "embedding")


def render_models(models: Iterable[ModelInfo], *, codex: bool = False) -> bytes:
    """OpenAI's list. `codex`: the same object carries Codex's `models` too, so that both read it."""
    models = list(models)
    answer: Json = {"object": "list", "data": [_model(model) for model in models]}
    if codex:
        answer["models"] = [_codex_model(model) for model in models]
    return orjson.dumps(answer)


def render_model(model: ModelInfo) -> bytes:
    """One model (`GET /v1/models/{id}`)."""
    return orjson.dumps(_model(model))


def parse_models(body: bytes) -> list[ModelInfo]:
    """The models that an OpenAI-compatible server lists, or Anthropic (`created_at`, `display_name`,
    `max_input_tokens`). `owned_by` is left empty. Raises UpstreamError for garbage."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_response("the list of models is no JSON.") from error
    listed = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(listed, list):
        raise bad_response("there is no list of models in it.")
    return [_listed(item) for item in listed if isinstance(item, dict) and _is_name(item.get("id"))]


def _listed(item: Json) -> ModelInfo:
    created, name = item.get("created"), item.get("display_name")
    return ModelInfo(
        item["id"],
        "",
        created=created if type(created) is int and created > 0 else unix_time(item.get("created_at")),
        name=name if isinstance(name, str) else "",
        context_length=_first_number(item, ("context_length", "max_input_tokens", "max_model_len")),
        max_output_tokens=_first_number(item, ("max_output_tokens", "max_tokens")),
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()


def _first_number(item: Json, names: Iterable[str]) -> int | None:
    return next((item[name] for name in names if type(item.get(name)) is int and item[name] > 0), None)


def unix_time(text: object) -> int:
    """Seconds since the epoch of an RFC 3339 time, 0 where it is none."""
    try:
        return int(datetime.fromisoformat(text).timestamp()) if isinstance(text, str) else 0
    except (ValueError, OverflowError):
        return 0


def _model(model: ModelInfo) -> Json:
    found: Json = {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        "name": model.name or model.id,
    }
    if model.context_length is not None:
        found |= {"context_length": model.context_length, "context_window": model.context_length}
    if model.max_output_tokens is not None:
        found["max_output_tokens"] = model.max_output_tokens
    if model.capabilities is not None:
        found |= _abilities(model.capabilities)
    return found


def _abilities(known: frozenset[str]) -> Json:
    return {
        "input_modalities": ["text", "image"] if "vision" in known else ["text"],
        "output_modalities": ["embedding"] if "embedding" in known else ["text"],
        "supports_tool_use": "tools" in known,
        "supports_reasoning": "reasoning" in known,
        "capabilities": {name: name in known for name in _CAPABILITIES},
    }


def _codex_model(model: ModelInfo) -> Json:
    found: Json = {"slug": model.id, "display_name": model.name or model.id}
    if model.context_length is not None:
        found["context_window"] = model.context_length
    return found
