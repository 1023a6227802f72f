"""How much to think, by generation; and which thoughts come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.anthropic.models import model_named
from fastproxy.wire.anthropic.thinking import ThinkingFields, thinking_fields, thoughts_of

ADAPTIVE = {"type": "adaptive", "display": "summarized"}
SIGNED = {"type": "thinking", "thinking": "t", "signature": "s"}


def fields(model: str, effort: object = None, max_tokens: int = 32_000, **extra: object) -> ThinkingFields:
    parameters = {} if effort is None else {"reasoning_effort": effort}
    return thinking_fields(
        ChatRequest("m", (), parameters=parameters, extra=extra), model_named(model), max_tokens
    )


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "level"),
    [
        ("claude-opus-4-6", "minimal", ADAPTIVE, "low"),
        ("claude-opus-4-6", "medium", ADAPTIVE, "medium"),
        ("claude-opus-4-6", "xhigh", ADAPTIVE, "high"),
        ("claude-opus-4-6", "max", ADAPTIVE, "max"),
        ("claude-opus-4-8", "xhigh", ADAPTIVE, "xhigh"),
        ("claude-opus-4-8", "none", {"type": "disabled"}, None),
        ("claude-sonnet-5-5", "none", {"type": "between_tools"}, None),
        ("claude-fable-5", "none", None, "low"),
        ("claude-sonnet-4-5", "low", {"type": "enabled", "budget_tokens": 2_048}, None),
        ("claude-sonnet-4-5", "high", {"type": "enabled", "budget_tokens": 24_576}, None),
        ("claude-sonnet-4-5", "max", {"type": "enabled", "budget_tokens": 27_904}, None),
        ("claude-sonnet-4-5", "none", {"type": "disabled"}, None),
        ("claude-3-haiku-20240307", "none", None, None),
        ("claude-opus-4-8", None, None, None),
    ],
)
def test_efforts(model: str, effort: str | None, thinking: Json | None, level: str | None) -> None:
    built = fields(model, effort)
    assert (built.thinking, built.effort, built.dropped) == (thinking, level, [])


@pytest.mark.parametrize(
    ("model", "max_tokens"), [("claude-3-haiku-20240307", 4_096), ("claude-sonnet-4-5", 1_024)]
)
def test_an_effort_that_cannot_be_made_is_told(model: str, max_tokens: int) -> None:
    built = fields(model, "high", max_tokens)
    assert built.thinking is None
    assert [lost.param for lost in built.dropped] == ["reasoning_effort"]


@given(st.integers(1, 200_000), st.sampled_from(["minimal", "low", "medium", "high", "xhigh", "max"]))
def test_a_budget_leaves_room_to_answer(max_tokens: int, effort: str) -> None:
    thinking = fields("claude-sonnet-4-5", effort, max_tokens).thinking
    assert thinking is None or 1_024 <= thinking["budget_tokens"] < max_tokens


@pytest.mark.parametrize("effort", ["huge", 5, True, {}])
def test_an_unknown_effort_is_refused(effort: object) -> None:
    with pytest.raises(ProxyError) as raised:
        fields("claude-opus-4-8", effort)
    assert raised.value.param == "reasoning_effort"


def test_anthropics_own_field_wins() -> None:
    native = {"type": "enabled", "budget_tokens": 5_000}
    assert fields("claude-sonnet-4-5", "high", thinking=native).thinking == native
    both = fields("claude-opus-4-8", "low", thinking={"type": "adaptive"})
    assert (both.thinking, both.effort) == ({"type": "adaptive"}, "low")


def test_enabled_without_a_budget_means_think() -> None:
    built = fields("claude-opus-4-8", thinking={"type": "enabled"})
    assert (built.thinking, built.effort) == (ADAPTIVE, "medium")


def test_the_clients_thoughts_come_first() -> None:
    message = {"thinking_blocks": [{**SIGNED, "index": 0}], "tool_calls": [{"id": "c"}]}
    request = ChatRequest("m", (), recalled={("anthropic.thinking", "c"): [{**SIGNED, "thinking": "old"}]})
    assert thoughts_of(message, request) == [SIGNED]
    assert thoughts_of({"tool_calls": [{"id": "c"}]}, request) == [{**SIGNED, "thinking": "old"}]
    assert thoughts_of({"content": "no calls"}, request) == []


def test_thoughts_among_the_content_are_found() -> None:
    message = {"content": [SIGNED, {"type": "text", "text": "a"}]}
    assert thoughts_of(message, ChatRequest("m", ())) == [SIGNED]


def test_any_call_of_the_turn_finds_the_thoughts() -> None:
    request = ChatRequest("m", (), recalled={("anthropic.thinking", "b"): [SIGNED]})
    assert thoughts_of({"tool_calls": [{"id": "a"}, {"id": "b"}]}, request) == [SIGNED]


def test_unsigned_thoughts_are_left_out() -> None:
    blocks = [
        {"type": "thinking", "thinking": "t"},
        {"type": "thinking", "signature": "s"},
        5,
        {"type": "text"},
    ]
    assert thoughts_of({"thinking_blocks": blocks}, ChatRequest("m", ())) == []


def test_reasoning_details_are_understood() -> None:
    details = [
        {"type": "reasoning.text", "text": "t", "signature": "s", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "d"},
        {"type": "reasoning.text", "text": "t", "signature": "s", "format": "google-gemini-v1"},
        {"type": "reasoning.summary", "summary": "x"},
    ]
    assert thoughts_of({"reasoning_details": details}, ChatRequest("m", ())) == [
        SIGNED,
        {"type": "redacted_thinking", "data": "d"},
    ]
