"""The provider that a benchmark's module measures (its `SUBJECT`), direct and behind fastproxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.overhead import Pair, running


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with running(request.module.SUBJECT) as started:
        yield started
