"""Other spellings of a model's name: neutral aliases, prefixes that clients add, and effort at its end.

Law: a spelling is tried only after the name as it stands; who decides what exists is the router.
Source of the need: Cursor reads `claude`, `gemini` and `gpt` in a name as its own models, and its picker adds
efforts (`-thinking-high`, `[effort=high]`) to the names that a user typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

NEUTRAL = (("gm-", "gemini-"), ("cl-", "claude-"), ("ds-", "deepseek-"), ("ol-", "ollama-"))
"""(how a neutral name begins, how the real one does)."""
_OPTIONAL = (
    "custom-", "mb-", "cursor/", "proxy/", "vx/", "models/", "openai/", "google/", "gemini/", "anthropic/",
    "vertex_ai/", "vertex/", "deepseek/",
)  # fmt: skip
"""What clients and their guides put before a name."""
_SUFFIX = re.compile(r"(?P<base>.+?)(?:-thinking)?-(?P<effort>none|low|medium|high|xhigh|max)")
_THINKING = "-thinking"
_BRACKET = re.compile(r"(?P<base>[^\[]+)\[(?P<said>[a-z_]+=[\w.-]*(?:,[a-z_]+=[\w.-]*)*)\]")
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_FAMILIES = ("gemini-", "claude-", "deepseek-")
"""No model of these has a name that ends in an effort."""


def neutral_name(name: str) -> str:
    """The name that gives no maker away: `gm-2.5-pro` for `gemini-2.5-pro`; "" where there is none."""
    return next((short + name[len(real) :] for short, real in NEUTRAL if name.startswith(real)), "")


def spellings(name: str, *, neutral: bool) -> Iterator[tuple[str, str]]:
    """(without optional prefix, what it may mean): the name itself first, then the others, best first."""
    bare = next((name[len(prefix) :] for prefix in _OPTIONAL if name.startswith(prefix)), "")
    for called in (name, bare) if bare else (name,):
        yield called, called
        for short, real in NEUTRAL if neutral else ():
            if called.startswith(short):
                yield called, real + called[len(short) :]


def split_effort(name: str) -> tuple[str, str]:
    """(the name before it, the effort) of a name that may end in one; ("", "") where it does not.

    `-thinking` alone is medium; brackets that name no effort we know say nothing.
    """
    if match := _BRACKET.fullmatch(name):
        said = dict(pair.split("=", 1) for pair in match["said"].split(","))
        return match["base"], said["effort"] if said.get("effort") in _EFFORTS else ""
    if match := _SUFFIX.fullmatch(name):
        return match["base"], match["effort"]
    return (name.removesuffix(_THINKING), "medium") if name.endswith(_THINKING) else ("", "")


def is_no_models_own(name: str, real: str) -> bool:
    """Whether a name with an effort at its end can only be that, although nobody has listed the `real` name
    before it."""
    return name.endswith("]") or (":" not in name and real.startswith(_FAMILIES))


def may_be_tag(name: str) -> bool:
    """Whether its end may be an Ollama tag's: `qwen3:4b-thinking` is a model of its own."""
    return ":" in name and name.endswith(_THINKING)
