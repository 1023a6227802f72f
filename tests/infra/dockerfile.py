"""Reads a Dockerfile as far as the tests need it: stages, and the instructions in each."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import orjson


@dataclass
class Stage:
    """From one FROM to the next."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)
    """Word in capitals, and its arguments on one line."""

    def values(self, word: str) -> list[str]:
        """The arguments of each of these instructions, in order."""
        return [arguments for found, arguments in self.instructions if found == word]

    def value(self, word: str) -> str:
        """The arguments of the only one."""
        [only] = self.values(word)
        return only

    def command(self, word: str) -> list[str]:
        """A command in the form without a shell."""
        listed: list[str] = orjson.loads(self.value(word)[self.value(word).index("[") :])
        return listed

    def environment(self) -> dict[str, str]:
        """What ENV sets."""
        pairs = [pair for arguments in self.values("ENV") for pair in shlex.split(arguments)]
        return dict(pair.split("=", 1) for pair in pairs)


def read(file: Path) -> tuple[dict[str, str], list[Stage]]:
    """The defaults of the global build arguments, and the stages in their order."""
    text = re.sub(r"^\s*#.*\n", "", file.read_text("utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in filter(str.strip, lines):
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(name, base))
        elif stages:
            stages[-1].instructions.append((word, rest.strip()))
        else:
            name, _, default = rest.partition("=")
            arguments[name] = default
    return arguments, stages
