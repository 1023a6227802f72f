"""The list of models, for OpenAI's clients and for Codex."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Model

from fastproxy.errors import UpstreamError
from fastproxy.wire.openai.models import ModelInfo, parse_models, render_model, render_models, unix_time

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


def test_the_lists_of_openai_and_of_anthropic_are_read() -> None:
    openai_list = {"object": "list", "data": [{"id": "m", "created": 7, "owned_by": "x"}, {"id": 5}, "odd"]}
    anthropic = {
        "id": "claude-x",
        "display_name": "Claude X",
        "created_at": "2026-01-01T00:00:00Z",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }
    assert parse_models(orjson.dumps(openai_list)) == [ModelInfo("m", "", created=7)]
    (claude,) = parse_models(orjson.dumps({"data": [anthropic], "has_more": False}))
    assert claude == ModelInfo("claude-x", "", 1_767_225_600, "Claude X", 200_000, 64_000)


def test_what_is_listed_again_is_what_was_read() -> None:
    listed = render_models([BARE])
    assert [model.id for model in parse_models(listed)] == [BARE.id]


@pytest.mark.parametrize("name", ["", "x" * 257, "a\nb"])
def test_a_name_that_cannot_be_one_is_left_out(name: str) -> None:
    assert parse_models(orjson.dumps({"data": [{"id": name}]})) == []


@pytest.mark.parametrize("text", [None, 5, "", "soon", "0001-01-01T00:00:00+23:00"])
def test_a_time_that_is_none_is_not_known(text: object) -> None:
    assert unix_time(text) <= 0


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["data", "id", "created", "created_at"]), inner)
    ),
)


@given(st.binary() | _json.map(lambda value: orjson.dumps(value) if _fits(value) else b""))
def test_any_bytes_are_a_list_or_an_upstream_error(body: bytes) -> None:
    try:
        assert all(model.id for model in parse_models(body))
    except UpstreamError as error:
        assert error.code == "bad_response"


def _fits(value: object) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits, half a surrogate pair
        return False
    return True
