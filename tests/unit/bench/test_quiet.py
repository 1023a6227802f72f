"""Nothing is measured on a machine that is busy with something else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.quiet import LoadedError, wait_until_quiet


def seconds() -> Iterator[float]:
    yield from map(float, range(1000))


def test_it_waits_until_the_machine_is_quiet() -> None:
    shares = iter([0.2, 0.6, 0.95, 0.1])
    clock = seconds()
    assert wait_until_quiet(lambda: next(shares), 60.0, lambda: next(clock)) == 0.95


def test_it_gives_up_and_tells_how_busy_the_machine_is() -> None:
    clock = seconds()
    with pytest.raises(LoadedError, match=r"idle for 42%.*--force"):
        wait_until_quiet(lambda: 0.42, 3.0, lambda: next(clock))
