"""What the checks say: findings in groups, and their one page of text. Never a secret."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import click

WIDTH = 100


class State(Enum):
    """How something fares; only a fault makes the command fail."""

    OK = "ok"
    OFF = "off"
    NOTE = "note"
    FAULT = "FAULT"


_COLOURS = {State.OK: "green", State.NOTE: "yellow", State.FAULT: "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    state: State
    text: str
    remedy: str = ""
    details: tuple[str, ...] = ()
    """Further lines, such as one for each model."""


@dataclass(frozen=True, slots=True)
class Group:
    """Findings under one heading."""

    title: str
    findings: Sequence[Finding]


def is_faulty(groups: Sequence[Group]) -> bool:
    """Whether there is any fault."""
    return any(_count(groups, State.FAULT))


def render(groups: Sequence[Group]) -> str:
    """The page: aligned over all groups, remedies on lines of their own, a summary at the end."""
    filled = [group for group in groups if group.findings]
    width = max(len(finding.name) for group in filled for finding in group.findings)
    lines = [line for group in filled for line in ("", f"  {group.title}", *_lines(group, width))]
    faults, off = (len(list(_count(groups, state))) for state in (State.FAULT, State.OFF))
    summary = "1 fault" if faults == 1 else f"{faults} faults" if faults else "everything works"
    more = f", {off} {'provider is' if off == 1 else 'providers are'} off" if off else ""
    end = f"  {summary}{more}. No model was asked: a check costs no tokens."
    return "\n".join([*lines, "", end, ""])


def _lines(group: Group, width: int) -> Iterator[str]:
    indent = " " * (4 + width + 2 + 7)
    for finding in group.findings:
        mark = click.style(f"{finding.state.value:<5}", fg=_COLOURS.get(finding.state))
        first, *rest = _wrap(finding.text)
        yield f"    {finding.name:<{width}}  {mark}  {first}"
        yield from (indent + line for line in rest)
        yield from (indent + line for line in _wrap(f"-> {finding.remedy}", "   ") if finding.remedy)
        yield from (indent + line for line in finding.details)


def _wrap(text: str, indent: str = "") -> list[str]:
    wrapped = textwrap.wrap(
        text, WIDTH - 20, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return wrapped or [""]


def _count(groups: Sequence[Group], state: State) -> Iterator[Finding]:
    return (finding for group in groups for finding in group.findings if finding.state is state)
