"""What a figure should be, and whether it is: met, NOT met, or unclear where the rounds disagree."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.figures import Figures, middle
from bench.results import number

_HOLDS: Mapping[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound, and the rounds that were measured."""

    what: str
    rounds: Sequence[float | None]
    """None: nothing could be measured in that round."""
    relation: str
    """"<=" or ">="."""
    bound: float
    kind: str = "target"
    """"contract", "floor" (must hold) or "target" (should)."""

    @property
    def figure(self) -> float | None:
        """The median; None where some round has no figure."""
        return None if None in self.rounds else middle(self.rounds)

    @property
    def verdict(self) -> str:
        """ "met", "NOT met", or "unclear"."""
        holds = _HOLDS[self.relation]
        met = {value is not None and holds(value, self.bound) for value in self.rounds}
        if self.figure is None or len(met) > 1:
            return "unclear"
        return "met" if met.pop() else "NOT met"

    def line(self) -> str:
        """One line that tells all of it."""
        wanted = f"({self.kind} {self.relation} {self.bound:,g})"
        if self.figure is None:
            return f"unclear  {self.what}: nothing measurable in some round {wanted}"
        known = [value for value in self.rounds if value is not None]
        spread = f", rounds {number(min(known))} to {number(max(known))}" if len(known) > 1 else ""
        return f"{self.verdict:8} {self.what}: {number(self.figure)}{spread} {wanted}"

    def told(self) -> Figures:
        """As JSON, for the page that quotes it."""
        return {
            "what": self.what,
            "figure": self.figure,
            "rounds": list(self.rounds),
            "wanted": f"{self.relation} {self.bound:,g}",
            "kind": self.kind,
            "verdict": self.verdict,
        }
