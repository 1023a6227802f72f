"""The models in Anthropic's list."""

from __future__ import annotations

import orjson
from anthropic.types import ModelInfo as TypedModel

from fastproxy.wire.anthropic.model_list import render_model, render_models
from fastproxy.wire.openai.models import ModelInfo

KNOWN = ModelInfo("a", "vertex", created=1_760_000_000, name="A", context_length=1000, max_output_tokens=10)


def test_a_list_of_one_page() -> None:
    listed = orjson.loads(render_models([KNOWN, ModelInfo("b", "ollama")]))
    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (False, "a", "b")
    assert [TypedModel.model_validate(model).id for model in listed["data"]] == ["a", "b"]


def test_an_empty_list() -> None:
    assert orjson.loads(render_models([])) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }


def test_what_is_known_is_told_and_an_unknown_date_is_the_epoch() -> None:
    assert orjson.loads(render_model(KNOWN)) == {
        "type": "model",
        "id": "a",
        "display_name": "A",
        "created_at": "2025-10-09T08:53:20Z",
        "lifecycle": "active",
        "max_input_tokens": 1000,
        "max_tokens": 10,
    }
    assert orjson.loads(render_model(ModelInfo("b", "x")))["created_at"] == "1970-01-01T00:00:00Z"
