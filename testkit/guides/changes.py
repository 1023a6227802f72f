"""Applies the changes that a guide shows as `diff` blocks: found by what they show, not by line numbers."""

from __future__ import annotations

import re
from pathlib import Path

_FILE = re.compile(r"^--- a/.*\n\+\+\+ b/(\S+)\n", re.MULTILINE)
_HUNK = re.compile(r"^@@.*\n", re.MULTILINE)


def apply(text: str, folder: Path) -> None:
    """Changes the files below `folder`. Raises ValueError where what is to change is not there just once."""
    _, *parts = _FILE.split(text)
    for name, hunks in zip(parts[::2], parts[1::2], strict=True):
        file = folder / name
        changed = file.read_text("utf-8")
        for hunk in filter(None, _HUNK.split(hunks)):
            before, after = _side(hunk, "+"), _side(hunk, "-")
            if changed.count(before) != 1:
                raise ValueError(f"{name} has {changed.count(before)} times, not once:\n{before}")
            changed = changed.replace(before, after)
        file.write_text(changed, "utf-8")


def _side(hunk: str, other: str) -> str:
    """The lines of one side, without their marks; `other` marks the other side's."""
    return "".join(line[1:] or "\n" for line in hunk.splitlines(keepends=True) if not line.startswith(other))
