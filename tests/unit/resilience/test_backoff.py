"""Longer after each failure, never all at once, never sooner than the provider asks for."""

from __future__ import annotations

import pytest

from fastproxy.resilience.backoff import Backoff


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, [0.125, 0.25, 0.5]), (1.0, [0.25, 0.5, 1.0])])
def test_every_pause_is_twice_the_last_give_or_take_half(chance: float, seconds: list[float]) -> None:
    backoff = Backoff(lambda: chance)
    assert [backoff.delay(retries) for retries in range(3)] == seconds


def test_no_pause_is_longer_than_the_longest() -> None:
    assert Backoff(lambda: 1.0, longest_seconds=3).delay(50) == 3


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_nobody_comes_back_sooner_than_asked_for(chance: float) -> None:
    pause = Backoff(lambda: chance).delay(0, 2.0)
    assert pause is not None
    assert 2.0 <= pause <= 2.125


def test_who_asks_for_a_long_pause_is_not_waited_for() -> None:
    assert Backoff(longest_seconds=4).delay(0, 4.1) is None


def test_pauses_differ() -> None:
    assert len({Backoff().delay(0) for _ in range(10)}) > 1
