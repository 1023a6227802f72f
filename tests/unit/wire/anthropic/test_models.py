"""The table of generations, read by every form of a name."""

from __future__ import annotations

import pytest

from fastproxy.wire.anthropic.models import model_named


@pytest.mark.parametrize(
    ("name", "thinking", "sampling", "structured"),
    [
        ("claude-3-haiku-20240307", "", "both", False),
        ("claude-3-5-sonnet-latest", "", "both", False),
        ("claude-3-7-sonnet@20250219", "budget", "both", False),
        ("claude-opus-4-20250514", "budget", "one", False),
        ("claude-opus-4-1@20250805", "budget", "one", True),
        ("claude-sonnet-4-5-20250929", "budget", "one", True),
        ("claude-haiku-4-5", "budget", "one", True),
        ("claude-opus-4.6", "adaptive", "one", True),
        ("anthropic/claude-opus-4-8[1m]", "adaptive", "none", True),
        ("claude-sonnet-5", "adaptive", "none", True),
        ("claude-fable-5-1", "adaptive", "none", True),
        ("opus", "adaptive", "none", True),
        ("claude-newfamily-9", "adaptive", "none", True),
        ("something else", "adaptive", "none", True),
    ],
)
def test_names(name: str, thinking: str, sampling: str, structured: bool) -> None:
    model = model_named(name)
    assert (model.thinking, model.sampling, model.structured) == (thinking, sampling, structured)


@pytest.mark.parametrize(
    ("name", "off", "forced"),
    [
        ("claude-opus-5", "disabled", True),
        ("claude-opus-5-5", "", False),
        ("claude-sonnet-5-5", "between_tools", False),
        ("claude-haiku-5-5", "disabled", True),
        ("claude-fable-5", "", True),
        ("claude-fable-5-1", "", False),
        ("claude-mythos-5", "", False),
    ],
)
def test_what_the_newest_refuse(name: str, off: str, forced: bool) -> None:
    model = model_named(name)
    assert (model.thinking_off, model.forced_tools) == (off, forced)
