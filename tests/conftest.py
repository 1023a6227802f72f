"""Fixtures that every kind of test shares: the mock upstream, one process for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testkit.mock import MockUpstream


@pytest.fixture(scope="session")
def mock_process() -> Iterator[MockUpstream]:
    with MockUpstream() as mock:
        yield mock


@pytest.fixture
def mock(mock_process: MockUpstream) -> MockUpstream:
    """The mock upstream without scripts and memories."""
    mock_process.reset()
    return mock_process
