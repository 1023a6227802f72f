"""Whether the machine is quiet enough to be measured: figures of a loaded one are nobody's."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.usage import MachineTimes

IDLE_SHARE = 0.9
"""Of all processors' time, before anything of ours runs."""
PATIENCE_SECONDS = 60.0
_SAMPLE_SECONDS = 1.0


class LoadedError(Exception):
    """The machine is busy with something else; the text says how much, and what can be done."""


def sample_idle_share() -> float:
    """How idle the machine is, in a second of looking."""
    before = MachineTimes.now()
    time.sleep(_SAMPLE_SECONDS)
    return MachineTimes.now().since(before).idle_share


def wait_until_quiet(
    sample: Callable[[], float] = sample_idle_share,
    patience_seconds: float = PATIENCE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> float:
    """The idle share, once it is high enough. Raises LoadedError where it is not within the patience."""
    give_up = clock() + patience_seconds
    while (share := sample()) < IDLE_SHARE:
        if clock() >= give_up:
            raise LoadedError(
                f"the machine is loaded: its processors were idle for {share:.0%} of the time "
                f"({IDLE_SHARE:.0%} is needed). End what runs beside this, or take --force, which marks "
                "the report."
            )
    return share
