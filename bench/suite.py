"""What the suites share: how often they measure, what they show, where they write it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from bench import results
from bench.figures import Figures
from bench.goals import Goal
from bench.load import Load

if TYPE_CHECKING:
    import pytest
    from pytest_benchmark.fixture import BenchmarkFixture

Measured = TypeVar("Measured")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured (options of pytest: `--rounds`, `--quick`)."""

    rounds: int
    quick: bool

    def load(self, load: Load) -> Load:
        """The load itself, or its shadow."""
        return load.quick() if self.quick else load


@dataclass(frozen=True, slots=True)
class Suite:
    """One test's way to measure and to tell."""

    plan: Plan
    benchmark: BenchmarkFixture
    capsys: pytest.CaptureFixture[str]

    def say(self, *lines: str) -> None:
        """Shows it now, whatever pytest captures."""
        with self.capsys.disabled():
            print("", *lines, sep="\n", flush=True)

    def measure(self, what: str, seconds: float, work: Callable[[], Measured]) -> Measured:
        """Does the work once, after saying what it is and how long it takes."""
        self.say(f"{what}: about {seconds:.0f} s")
        done: Measured = self.benchmark.pedantic(work, rounds=1)  # type: ignore[no-untyped-call]
        return done

    def takes_seconds(self, loads: Iterable[Load], targets: int) -> float:
        """About how long all rounds of these loads take on so many targets."""
        return sum(self.plan.load(load).takes_seconds for load in loads) * targets * self.plan.rounds

    def report(self, name: str, lines: Sequence[str], goals: Sequence[Goal], figures: Figures) -> None:
        """Shows lines and goals, and writes them with the figures to `bench/results/`."""
        told = {**figures, "goals": [goal.told() for goal in goals]}
        self.benchmark.extra_info.update(told)
        path = results.write(f"{name}-quick" if self.plan.quick else name, told)
        self.say(*lines, *(goal.line() for goal in goals), f"written to {path}")
