"""Sampling, thinking and format: what Ollama is asked for, and what is said to be left out."""

from __future__ import annotations

from typing import Any

import pytest

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest, Dropped
from fastproxy.wire.ollama.errors import BOOLEAN_THINKING, NO_THINKING
from fastproxy.wire.ollama.options import (
    drop_others,
    format_of,
    logprobs_fields,
    sampling_options,
    think_of,
)

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}


def chat(parameters: dict[str, Any] | None = None, **fields: Any) -> ChatRequest:
    return ChatRequest("m", (), parameters=parameters or {}, **fields)


def test_openai_parameters_become_options() -> None:
    parameters = {"temperature": 0, "top_p": 0.5, "seed": 7, "stop": ["x"], "max_tokens": 9, "n": 1}
    parameters |= {"presence_penalty": 0.1, "frequency_penalty": 0.2, "max_completion_tokens": 10}
    assert sampling_options(chat(parameters), []) == {
        "temperature": 0,
        "top_p": 0.5,
        "seed": 7,
        "stop": ["x"],
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "num_predict": 10,
    }


def test_native_options_are_taken_and_openais_own_win() -> None:
    extra = {"options": {"temperature": 1, "top_k": 1, "unknown": 1}, "top_k": 2, "min_p": 0.1, "other": 1}
    assert sampling_options(chat({"temperature": 0.5}, extra=extra), []) == {
        "temperature": 0.5,
        "top_k": 2,
        "min_p": 0.1,
        "unknown": 1,
    }


def test_options_that_are_no_object_are_refused() -> None:
    with pytest.raises(ProxyError, match="options"):
        sampling_options(chat(extra={"options": [1]}), [])


@pytest.mark.parametrize(
    ("effort", "think"),
    [
        ("none", False),
        ("minimal", "low"),
        ("low", "low"),
        ("medium", "medium"),
        ("high", "high"),
        ("xhigh", "max"),
        ("max", "max"),
        (None, None),
    ],
)
def test_effort_becomes_think(effort: str | None, think: object) -> None:
    assert think_of(chat({"reasoning_effort": effort} if effort else {})) == think


@pytest.mark.parametrize("think", [True, False, "max"])
def test_a_native_think_wins(think: object) -> None:
    assert think_of(chat({"reasoning_effort": "low"}, extra={"think": think})) == think


@pytest.mark.parametrize(("effort", "repaired"), [("high", True), ("none", False)])
def test_repairs_of_think(effort: str, repaired: bool) -> None:
    assert think_of(chat({"reasoning_effort": effort}, repairs=(NO_THINKING,))) is None
    assert think_of(chat({"reasoning_effort": effort}, repairs=(BOOLEAN_THINKING,))) is repaired
    assert think_of(chat(repairs=(BOOLEAN_THINKING,))) is None


@pytest.mark.parametrize(
    "request_", [chat({"reasoning_effort": "huge"}), chat(extra={"think": "xhigh"}), chat(extra={"think": 1})]
)
def test_an_unknown_effort_is_refused(request_: ChatRequest) -> None:
    with pytest.raises(ProxyError, match="must be"):
        think_of(request_)


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, "json"),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}, SCHEMA),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "json"),
    ],
)
def test_response_format(wanted: dict[str, Any], sent: object) -> None:
    assert format_of(chat({"response_format": wanted})) == sent


@pytest.mark.parametrize("value", ["json", SCHEMA])
def test_a_native_format_is_taken(value: object) -> None:
    assert format_of(chat(extra={"format": value})) == value


@pytest.mark.parametrize(
    "request_",
    [
        chat({"response_format": {"type": "xml"}}),
        chat({"response_format": {"type": "json_schema", "json_schema": {"schema": 1}}}),
        chat(extra={"format": "xml"}),
    ],
)
def test_an_unknown_format_is_refused(request_: ChatRequest) -> None:
    with pytest.raises(ProxyError, match="must be"):
        format_of(request_)


def test_logprobs_stand_beside_the_options() -> None:
    assert logprobs_fields(chat({"logprobs": True, "top_logprobs": 2})) == {
        "logprobs": True,
        "top_logprobs": 2,
    }
    assert logprobs_fields(chat({"logprobs": True})) == {"logprobs": True}
    assert logprobs_fields(chat({"logprobs": False, "top_logprobs": 2})) == {}


def test_what_has_no_equivalent_is_named_and_defaults_are_not() -> None:
    dropped: list[Dropped] = []
    parameters = {"n": 2, "logit_bias": {"1": 1}, "user": "u", "parallel_tool_calls": False}
    harmless = {"service_tier": "auto", "store": False, "modalities": ["text"], "temperature": 1}
    drop_others(chat({**parameters, **harmless}), dropped)
    assert [entry.param for entry in dropped] == ["n", "logit_bias", "user", "parallel_tool_calls"]


def test_audio_cannot_be_left_out_silently() -> None:
    with pytest.raises(ProxyError, match="text only"):
        drop_others(chat({"modalities": ["text", "audio"]}), [])
