"""The code blocks of a guide, and the remarks that say how each is tried. Reads Markdown, runs nothing.

A block is tried as it stands unless an HTML comment right before it says otherwise:

    <!-- test: skip needs Docker -->       not tried, for the reason given, which every run prints
    <!-- test: background -->              goes on while the rest of the page is tried: a server
    <!-- test: expect hello -->            its output holds this text
    <!-- test: fails -->                   it ends with an error, as the page says
    <!-- test: config fastproxy.toml -->   the configuration of what the page starts from here on
    <!-- test: file hello.py -->           written under this name, for the blocks that follow
    <!-- test: syntax -->                  it is only read (TOML that is not fastproxy's)
    <!-- test: long -->                    left out of the short form
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TRIED = ("sh", "bash", "console", "python", "toml", "json", "diff")
"""The languages whose blocks are tried; a block of another is only shown."""
DIRECTIVES = ("skip", "background", "expect", "fails", "config", "file", "syntax", "long")

_REMARK = re.compile(r"<!--\s*test:\s*(?P<word>\S+)\s*(?P<rest>.*?)\s*-->")
_FENCE = re.compile(r"(?P<indent> *)(?P<marks>`{3,}|~{3,}) *(?P<language>[\w+-]*).*")
_PROMPT = re.compile(r"[$#] ")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    """Of its first line, counted from 1."""
    language: str
    text: str
    remarks: dict[str, str] = field(default_factory=dict)
    """Directive -> what stands after it."""

    def __str__(self) -> str:
        first = next((line for line in self.text.splitlines() if line.strip()), "")
        return f"{self.page}:{self.line} ({self.language}) {first.strip()[:60]}"

    @property
    def commands(self) -> str:
        """What a person would type: of a `console` block the lines after a prompt, else all."""
        if self.language != "console":
            return self.text
        lines = [line[2:] for line in self.text.splitlines() if _PROMPT.match(line)]
        return "".join(f"{line}\n" for line in lines)


def blocks(page: str, text: str) -> list[Block]:
    """The blocks of a page that are tried. Raises ValueError for a remark that cannot be meant."""
    return [block for block in _blocks(page, text) if block.language in TRIED]


def _blocks(page: str, text: str) -> Iterator[Block]:
    lines = iter(enumerate(text.splitlines(), 1))
    remarks: dict[str, str] = {}
    for number, line in lines:
        if remark := _REMARK.fullmatch(line.strip()):
            remarks[_known(page, number, remark["word"])] = remark["rest"]
        elif opening := _FENCE.fullmatch(line):
            end = re.compile(rf"\s*{opening['marks']}\s*")
            body = []
            for _, inner in lines:
                if end.fullmatch(inner):
                    break
                body.append(inner)
            language = opening["language"]
            told = textwrap.dedent("\n".join(body)) + "\n"
            if "skip" in remarks and not remarks["skip"]:
                raise ValueError(f"{page}:{number}: `skip` needs a reason")
            yield Block(page, number + 1, language, told, remarks)
            remarks = {}
        elif line.strip() and remarks:
            raise ValueError(f"{page}:{number}: a `test:` remark stands right before a block")


def _known(page: str, number: int, word: str) -> str:
    if word not in DIRECTIVES:
        raise ValueError(f"{page}:{number}: no such remark: {word!r}; there are {', '.join(DIRECTIVES)}")
    return word


def pages(root: Path) -> list[Path]:
    """The guides of a checkout: what stands at its root, in docs/ and in examples/, in reading order."""
    return [
        root / "README.md",
        *sorted(page for page in root.glob("*.md") if page.name not in ("README.md", "CHANGELOG.md")),
        *sorted((root / "docs").rglob("*.md")),
        *sorted((root / "examples").glob("*.md")),
    ]
