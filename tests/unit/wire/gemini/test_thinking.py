"""How hard a model is asked to think."""

from __future__ import annotations

from typing import Any

import pytest

from fastproxy.errors import ProxyError
from fastproxy.wire.gemini.model import read_model
from fastproxy.wire.gemini.thinking import thinking_config


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        ("gemini-3.5-flash", "none", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.5-pro", "none", {"thinkingLevel": "LOW"}),
        ("gemini-3.5-flash", "minimal", {"thinkingLevel": "MINIMAL", "includeThoughts": True}),
        ("gemini-3.5-pro", "minimal", {"thinkingLevel": "LOW", "includeThoughts": True}),
        ("gemini-3.5-pro", "medium", {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
        ("gemini-3-pro-preview", "medium", {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-3.1-pro-preview", "xhigh", {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-pro", "none", {"thinkingBudget": 128}),
        ("gemini-2.5-flash", "low", {"thinkingBudget": 1024, "includeThoughts": True}),
        ("gemini-2.5-flash", "max", {"thinkingBudget": 24576, "includeThoughts": True}),
        ("gemini-2.5-pro", "max", {"thinkingBudget": 32768, "includeThoughts": True}),
    ],
)
def test_an_effort_is_a_level_or_a_budget(model: str, effort: str, config: dict[str, Any]) -> None:
    assert thinking_config(effort, read_model(model), {}) == (config, "")


def test_a_model_that_does_not_think_is_told_nothing() -> None:
    config, reason = thinking_config("high", read_model("gemini-2.0-flash"), {})
    assert config is None
    assert "gemini-2.0-flash" in reason
    assert thinking_config(None, read_model("gemini-2.5-flash"), {}) == (None, "")


@pytest.mark.parametrize(
    ("model", "left"), [("gemini-3-pro", "thinkingLevel"), ("gemini-2.5-pro", "thinkingBudget")]
)
def test_the_clients_own_config_wins_and_never_holds_both(model: str, left: str) -> None:
    given = {"thinking_budget": 100, "thinkingLevel": "low", "include_thoughts": True, "unknown": 1}
    config, _reason = thinking_config("high", read_model(model), {"thinking_config": given})
    assert config is not None
    assert config.keys() == {left, "includeThoughts"}


@pytest.mark.parametrize(
    "given", [[], {"thinking_budget": "many"}, {"thinking_budget": True}, {"thinking_level": 1}]
)
def test_a_config_of_a_wrong_type_is_a_fault(given: Any) -> None:
    with pytest.raises(ProxyError) as caught:
        thinking_config(None, read_model("gemini-3-pro"), {"thinking_config": given})
    assert caught.value.param == "thinking_config"


@pytest.mark.parametrize("effort", ["extreme", 3, []])
def test_an_unknown_effort_is_a_fault(effort: Any) -> None:
    with pytest.raises(ProxyError, match="reasoning_effort must be one of none, minimal"):
        thinking_config(effort, read_model("gemini-3-pro"), {})
