"""The list of models as Anthropic's clients read it.

Source: Anthropic's "List Models" reference; SDK type ModelInfo. All models stand on one page.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

from fastproxy.types import Json
from fastproxy.wire.openai.models import ModelInfo


def render_models(models: Sequence[ModelInfo]) -> bytes:
    """The list (`GET /v1/models`)."""
    ids = [model.id for model in models]
    ends = {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}
    return orjson.dumps({"data": [_model(model) for model in models], "has_more": False, **ends})


def render_model(model: ModelInfo) -> bytes:
    """One model (`GET /v1/models/{id}`)."""
    return orjson.dumps(_model(model))


def _model(model: ModelInfo) -> Json:
    created = datetime.fromtimestamp(model.created, UTC)  # the epoch, as Anthropic has it, where unknown
    found: Json = {
        "type": "model",
        "id": model.id,
        "display_name": model.name or model.id,
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
    }
    if model.context_length is not None:
        found["max_input_tokens"] = model.context_length
    if model.max_output_tokens is not None:
        found["max_tokens"] = model.max_output_tokens
    return found
