"""A function call's arguments, put together from the pieces of a stream (`partialArgs`).

Each piece names its place by a JSON path (`$.items[0].name`) and brings a string's next characters, a
number, a boolean or null (source: `types.PartialArg` of google-genai).
"""

from __future__ import annotations

import itertools
import re
from typing import Any

from fastproxy.types import Json

MAX_INDEX = 10_000
"""Longer lists are not built: a single piece could ask for any amount of memory."""

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")\]")
_ESCAPED = re.compile(r"\\(.)")
_VALUES = ("stringValue", "numberValue", "boolValue")
_MAX_STEPS = 100

Step = str | int


class PartialArguments:
    """The arguments so far. A piece that fits nowhere is left out; nothing raises."""

    def __init__(self, known: object = None) -> None:
        self.value: Json = dict(known) if isinstance(known, dict) else {}

    def add(self, piece: object) -> None:
        """Puts one piece where its path says."""
        if not isinstance(piece, dict):
            return
        steps = _steps(piece.get("jsonPath"))
        if not steps or not isinstance(steps[0], str):
            return
        holder: Any = self.value
        for step, following in itertools.pairwise(steps):
            kind = list if isinstance(following, int) else dict
            inner = _get(holder, step)
            if not isinstance(inner, kind):
                inner = kind()
                if not _put(holder, step, inner):
                    return
            holder = inner
        before = _get(holder, steps[-1])
        value = next((piece[key] for key in _VALUES if key in piece), None)
        if isinstance(value, str) and isinstance(before, str):
            value = before + value
        _put(holder, steps[-1], value)


def _steps(path: object) -> list[Step]:
    """`$.a[0]['b.c']` -> ["a", 0, "b.c"]; [] for what is no such path."""
    if not isinstance(path, str) or not path.startswith("$"):
        return []
    steps: list[Step] = []
    position = 1
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None or len(steps) >= _MAX_STEPS:
            return []
        name, index, single, double = found.groups()
        if index is not None:
            steps.append(int(index[:9]))
        else:
            quoted = single if single is not None else double
            steps.append(name if name is not None else _ESCAPED.sub(r"\1", quoted))
        position = found.end()
    return steps


def _get(holder: Any, step: Step) -> Any:
    if isinstance(holder, dict):
        return holder.get(step)
    return holder[step] if isinstance(step, int) and step < len(holder) else None


def _put(holder: Any, step: Step, value: Any) -> bool:
    if isinstance(holder, dict):
        holder[str(step)] = value
        return True
    if not isinstance(step, int) or step > MAX_INDEX:
        return False
    holder.extend([None] * (step + 1 - len(holder)))
    holder[step] = value
    return True
