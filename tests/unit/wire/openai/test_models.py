"""The list of models, for OpenAI's clients and for Codex."""

from __future__ import annotations

import orjson
from openai.types import Model

from fastproxy.wire.openai.models import ModelInfo, render_model, render_models

FULL = ModelInfo(
    "gemini-2.5-pro", "vertex", 1760000000, "Gemini 2.5 Pro", 1048576, 65536, frozenset({"tools", "vision"})
)
BARE = ModelInfo("ollama-llama3.2:3b", "ollama")


def test_the_sdk_reads_every_model() -> None:
    answer = orjson.loads(render_models([FULL, BARE]))
    assert answer["object"] == "list"
    assert "models" not in answer
    models = [Model.model_validate(model, strict=True) for model in answer["data"]]
    assert [(model.id, model.owned_by) for model in models] == [
        ("gemini-2.5-pro", "vertex"),
        ("ollama-llama3.2:3b", "ollama"),
    ]


def test_what_is_known_is_told() -> None:
    assert orjson.loads(render_model(FULL)) == {
        "id": "gemini-2.5-pro",
        "object": "model",
        "created": 1760000000,
        "owned_by": "vertex",
        "name": "Gemini 2.5 Pro",
        "context_length": 1048576,
        "context_window": 1048576,
        "max_output_tokens": 65536,
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "supports_tool_use": True,
        "supports_reasoning": False,
        "capabilities": {"tools": True, "vision": True, "reasoning": False, "embedding": False},
    }


def test_what_is_not_known_is_left_out() -> None:
    assert set(orjson.loads(render_model(BARE))) == {"id", "object", "created", "owned_by", "name"}


def test_codex_finds_its_own_list_in_the_same_object() -> None:
    answer = orjson.loads(render_models([FULL, BARE], codex=True))
    assert len(answer["data"]) == 2
    assert answer["models"] == [
        {"slug": "gemini-2.5-pro", "display_name": "Gemini 2.5 Pro", "context_window": 1048576},
        {"slug": "ollama-llama3.2:3b", "display_name": "ollama-llama3.2:3b"},
    ]
