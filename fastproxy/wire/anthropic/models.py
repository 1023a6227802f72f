"""What each Claude generation accepts, as one table: no other file of this folder compares model names.

Sources: Anthropic's model overview, "Extended thinking", "Adaptive thinking", "Effort", "Structured outputs"
and the migration guides of each generation. A name that is not in the table is read as the newest Claude.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_LATEST = (99, 0)


@dataclass(frozen=True, slots=True)
class Model:
    """The request shapes that one generation of models takes."""

    default_max_tokens: int = 32_000
    """`max_tokens` is required; this is sent where the client set no limit."""
    thinking: str = "adaptive"
    """"adaptive" (with an effort), "budget" (with budget_tokens), or "" where the model cannot think."""
    thinking_off: str = "disabled"
    """The lowest `thinking.type`; "" where thinking cannot be switched off (then the effort is lowered)."""
    efforts: tuple[str, ...] = _EFFORTS
    """Values of `output_config.effort`."""
    sampling: str = "none"
    """"both" temperature and top_p, "one" of them, or "none" (a 400 whatever the value)."""
    structured: bool = True
    """Takes `output_config.format` and strict tools."""
    forced_tools: bool = True
    """Takes tool_choice any and tool."""


_NEWEST = Model()
_ALWAYS_THINKING = replace(_NEWEST, thinking_off="", forced_tools=False)
_FIRST_ADAPTIVE = replace(_NEWEST, efforts=("low", "medium", "high", "max"), sampling="one")
_BUDGET = Model(thinking="budget", efforts=(), sampling="one")
_BUDGET_PLAIN = replace(_BUDGET, structured=False)
_CLAUDE_3_7 = replace(_BUDGET_PLAIN, sampling="both")
_CLAUDE_3_5 = replace(_CLAUDE_3_7, thinking="", default_max_tokens=8_192)
_CLAUDE_3 = replace(_CLAUDE_3_5, default_max_tokens=4_096)

_BY_FAMILY: dict[str, tuple[tuple[tuple[int, int], Model], ...]] = {
    "opus": (
        ((5, 5), _ALWAYS_THINKING),
        ((4, 7), _NEWEST),
        ((4, 6), _FIRST_ADAPTIVE),
        ((4, 1), _BUDGET),
        ((4, 0), _BUDGET_PLAIN),
        ((3, 0), _CLAUDE_3),
    ),
    "sonnet": (
        ((5, 5), replace(_NEWEST, thinking_off="between_tools", forced_tools=False)),
        ((5, 0), _NEWEST),
        ((4, 6), _FIRST_ADAPTIVE),
        ((4, 5), _BUDGET),
        ((4, 0), _BUDGET_PLAIN),
        ((3, 7), _CLAUDE_3_7),
        ((3, 5), _CLAUDE_3_5),
        ((3, 0), _CLAUDE_3),
    ),
    "haiku": (
        ((5, 0), _NEWEST),
        ((4, 0), _BUDGET),
        ((3, 5), _CLAUDE_3_5),
        ((3, 0), _CLAUDE_3),
    ),
    "fable": (((5, 1), _ALWAYS_THINKING), ((0, 0), replace(_ALWAYS_THINKING, forced_tools=True))),
    "mythos": (((0, 0), _ALWAYS_THINKING),),
}
"""Per family the lowest version of each row, newest first."""

# A date (claude-opus-4-20250514, ...@20250929) must not be read as a minor version.
_NEW_NAME = re.compile(r"claude-(?P<family>[a-z]+)-(?P<major>\d+)(?:[.-](?P<minor>\d{1,2}))?(?!\d)")
_OLD_NAME = re.compile(r"claude-(?P<major>\d+)(?:[.-](?P<minor>\d))?-(?P<family>[a-z]+)")
_ALIAS = re.compile(r"^(?:claude-)?(?P<family>[a-z]+)(?P<major>)(?P<minor>)(?:-latest)?$")


def model_named(name: str) -> Model:
    """The row for a model's name, dated, aliased (`opus`, `claude-3-7-sonnet-latest`) or with `@version`."""
    match = _NEW_NAME.search(name) or _OLD_NAME.search(name) or _ALIAS.search(name)
    if match is None:
        return _NEWEST
    major, minor = match["major"], match["minor"]
    version = (int(major), int(minor or 0)) if major else _LATEST
    rows = _BY_FAMILY.get(match["family"], ())
    return next((model for lowest, model in rows if version >= lowest), _NEWEST)
