"""How hard a Gemini model thinks: a level for 3.x, a budget of tokens for 2.5, never both (a 400)."""

from __future__ import annotations

from fastproxy.types import Json
from fastproxy.wire.gemini.content import invalid
from fastproxy.wire.gemini.model import Model

_LEVELS = {"minimal": "LOW", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
_BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
"""Google's own OpenAI endpoint maps low, medium and high so; 24,576 is the most that 2.5 Flash takes."""
_EFFORTS = ("none", *_LEVELS)
_PRO_MIN, _PRO_MAX = 128, 32_768
_FIELDS = {
    "include_thoughts": ("includeThoughts", bool),
    "thinking_budget": ("thinkingBudget", int),
    "thinking_level": ("thinkingLevel", str),
}


def thinking_config(effort: object, model: Model, extensions: Json) -> tuple[Json | None, str]:
    """`thinkingConfig` (None: say nothing) and why the wish for it was not followed ("": it was).

    The client's own `thinking_config` wins over `reasoning_effort`.
    """
    given = extensions.get("thinking_config")
    if given is None and effort is None:
        return None, ""
    if given is None and effort not in _EFFORTS:
        raise invalid(f"reasoning_effort must be one of {', '.join(_EFFORTS)}.", "reasoning_effort")
    if not model.thinking:
        return None, f"{model.name} does not think, or cannot be told how much."
    if given is not None:
        return _given(given, model), ""
    return (_level if model.thinking == "level" else _budget)(str(effort), model), ""


def _level(effort: str, model: Model) -> Json:
    lowest = "MINIMAL" if model.has("flash") else "LOW"
    if effort == "none":  # thinking cannot be switched off: the least of it, unseen
        return {"thinkingLevel": lowest}
    level = lowest if effort == "minimal" else _LEVELS[effort]
    if level == "MEDIUM" and model.version == (3, 0) and model.has("pro"):
        level = "HIGH"  # Gemini 3 Pro knows low and high only
    return {"thinkingLevel": level, "includeThoughts": True}


def _budget(effort: str, model: Model) -> Json:
    pro = model.has("pro")
    if effort == "none":
        return {"thinkingBudget": _PRO_MIN if pro else 0}
    budget = _PRO_MAX if pro and effort in ("xhigh", "max") else _BUDGETS[effort]
    return {"thinkingBudget": budget, "includeThoughts": True}


def _given(given: object, model: Model) -> Json:
    if not isinstance(given, dict):
        raise invalid("thinking_config must be an object.", "thinking_config")
    config: Json = {}
    for name, (field, kind) in _FIELDS.items():
        value = given.get(name, given.get(field))
        if value is None:
            continue
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise invalid(
                f"thinking_config.{name} must be a value of type {kind.__name__}.", "thinking_config"
            )
        config[field] = value.upper() if isinstance(value, str) else value
    if "thinkingLevel" in config and "thinkingBudget" in config:
        del config["thinkingBudget" if model.thinking == "level" else "thinkingLevel"]
    return config
