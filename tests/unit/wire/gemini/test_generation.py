"""OpenAI's parameters as generationConfig."""

from __future__ import annotations

from typing import Any

import pytest

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest
from fastproxy.wire.gemini.generation import NO_PENALTIES, Generation, generation
from fastproxy.wire.gemini.model import read_model

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
TOOL = {"type": "function", "function": {"name": "f"}}


def made(model: str = "gemini-2.5-flash", **parameters: Any) -> Generation:
    more = {name: parameters.pop(name) for name in ("stream", "tools", "repairs") if name in parameters}
    return generation(ChatRequest("m", (), parameters=parameters, **more), read_model(model), {})


@pytest.mark.parametrize(
    ("parameters", "config"),
    [
        ({"temperature": 0, "top_p": 0.5}, {"temperature": 0, "topP": 0.5}),
        (
            {"presence_penalty": 1, "frequency_penalty": -1.5},
            {"presencePenalty": 1, "frequencyPenalty": -1.5},
        ),
        ({"max_tokens": 30}, {"maxOutputTokens": 30}),
        ({"max_tokens": 30, "max_completion_tokens": 40}, {"maxOutputTokens": 40}),
        ({"stop": ["a", "", "b"]}, {"stopSequences": ["a", "b"]}),
        ({"seed": 2**40 + 5}, {"seed": 5}),
        ({"n": 1}, {}),
        ({"n": 3}, {"candidateCount": 3}),
        ({"logprobs": True}, {"responseLogprobs": True}),
        ({"logprobs": True, "top_logprobs": 2}, {"responseLogprobs": True, "logprobs": 2}),
        ({"logprobs": False}, {}),
        ({"modalities": ["text"]}, {}),
        ({"modalities": ["text", "image"]}, {"responseModalities": ["TEXT", "IMAGE"]}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"responseMimeType": "application/json"}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}},
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
        ({"parallel_tool_calls": True, "store": False}, {}),
    ],
)
def test_a_parameter_has_its_field(parameters: dict[str, Any], config: dict[str, Any]) -> None:
    result = made(**parameters)
    assert result.config == config
    assert result.dropped == []


@pytest.mark.parametrize(
    ("model", "parameters", "dropped"),
    [
        ("gemini-2.5-flash", {"logit_bias": {}, "user": "u"}, ["logit_bias", "user"]),
        ("gemini-2.5-flash", {"parallel_tool_calls": False}, ["parallel_tool_calls"]),
        ("gemini-2.5-flash", {"top_logprobs": 3}, ["top_logprobs"]),
        ("gemini-3.6-flash", {"temperature": 1}, ["temperature"]),
        ("gemini-3-pro", {"n": 2, "stream": True}, ["n"]),
        ("gemini-2.0-flash", {"reasoning_effort": "low"}, ["reasoning_effort"]),
        ("gemini-2.5-flash", {"presence_penalty": 1, "repairs": (NO_PENALTIES,)}, ["presence_penalty"]),
    ],
)
def test_what_has_no_equivalent_is_named_and_not_sent(
    model: str, parameters: dict[str, Any], dropped: list[str]
) -> None:
    result = made(model, **parameters)
    assert [item.param for item in result.dropped] == dropped
    assert all(item.reason for item in result.dropped)
    assert result.config == {}


def test_a_sixth_stop_sequence_is_dropped() -> None:
    result = made(stop=list("abcdef"))
    assert result.config["stopSequences"] == list("abcde")
    assert [item.param for item in result.dropped] == ["stop"]


def test_old_models_get_the_older_response_schema() -> None:
    wanted = {"type": "json_schema", "json_schema": {"schema": SCHEMA}}
    config = made("gemini-1.5-pro", response_format=wanted).config
    assert config["responseSchema"]["properties"] == {"a": {"type": "STRING"}}
    assert "responseJsonSchema" not in config


def test_a_json_answer_beside_tools_is_asked_for_in_words_before_gemini_3() -> None:
    wanted = {"type": "json_schema", "json_schema": {"schema": SCHEMA}}
    old = made("gemini-2.5-pro", response_format=wanted, tools=(TOOL,))
    assert old.config == {}
    assert '"required":["a"]' in old.instruction
    assert [item.param for item in old.dropped] == ["response_format"]
    new = made("gemini-3-pro", response_format=wanted, tools=(TOOL,))
    assert new.config["responseJsonSchema"] == SCHEMA


def test_a_schema_that_no_json_can_hold_is_a_fault() -> None:
    schema = {"type": "integer", "maximum": 2**70}
    with pytest.raises(ProxyError, match="64 bits"):
        made(response_format={"type": "json_schema", "json_schema": {"schema": schema}}, tools=(TOOL,))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "hot"),
        ("top_p", True),
        ("seed", 1.5),
        ("stop", [1]),
        ("n", 0),
        ("n", 9),
        ("n", True),
        ("logprobs", 1),
        ("max_tokens", "many"),
        ("max_completion_tokens", 0),
        ("modalities", ["audio"]),
        ("modalities", "text"),
        ("response_format", "json"),
        ("response_format", {"type": "unsupported"}),
        ("reasoning_effort", "extreme"),
    ],
)
def test_a_wrong_value_is_a_fault_that_names_the_parameter(name: str, value: Any) -> None:
    with pytest.raises(ProxyError) as caught:
        made(**{name: value})
    assert caught.value.param == name
    assert caught.value.status == 400


def test_too_many_top_logprobs_are_a_fault() -> None:
    with pytest.raises(ProxyError, match="top_logprobs"):
        made(logprobs=True, top_logprobs=21)
