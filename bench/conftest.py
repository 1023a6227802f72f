"""Options of the suites, and the processes that they measure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.overhead import Pair
from bench.overhead import running as running_pair
from bench.suite import Plan, Suite
from bench.targets import Targets, targets, warm_up


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=3, help="how often each target is measured in turn")
    parser.addoption("--quick", action="store_true", help="shadows of loads: only shows that all works")


@pytest.fixture(scope="session")
def plan(request: pytest.FixtureRequest) -> Plan:
    quick = bool(request.config.getoption("--quick"))
    return Plan(1 if quick else int(request.config.getoption("--rounds")), quick)


@pytest.fixture
def suite(plan: Plan, benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]) -> Suite:
    return Suite(plan, benchmark, capsys)


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The provider that a module measures (its `SUBJECT`), direct and behind fastproxy."""
    with running_pair(request.module.SUBJECT) as started:
        yield started


@pytest.fixture(scope="module")
def running() -> Iterator[Targets]:
    """The mock upstream, the bare relay and fastproxy with everything on, warm."""
    with targets() as started:
        warm_up(started)
        yield started
