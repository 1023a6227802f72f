"""A goal is met or not met only where the rounds agree."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bench.goals import Goal


@pytest.mark.parametrize(
    ("rounds", "relation", "verdict"),
    [
        ([1.0, 2.0, 1.5], "<=", "met"),
        ([2.0], ">=", "met"),
        ([3.0, 2.1], "<=", "NOT met"),
        ([1.0, 3.0, 1.2], "<=", "unclear"),
        ([1.0, None], "<=", "unclear"),
    ],
)
def test_the_verdict_follows_from_every_round(
    rounds: Sequence[float | None], relation: str, verdict: str
) -> None:
    goal = Goal("what", rounds, relation, 2.0)
    assert goal.verdict == verdict
    assert goal.line().startswith(verdict)


def test_a_line_tells_figure_rounds_and_bound() -> None:
    line = Goal("delay", [1.0, 1.25, 3.0], "<=", 1.5, "floor").line()
    assert line == "unclear  delay: 1.25, rounds 1.00 to 3.00 (floor <= 1.5)"


def test_a_figure_that_is_missing_in_some_round_is_none() -> None:
    goal = Goal("delay", [1.0, None], "<=", 1.5)
    assert goal.figure is None
    assert "nothing measurable" in goal.line()
    assert goal.told()["rounds"] == [1.0, None]
