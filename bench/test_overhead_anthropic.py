"""What fastproxy adds to Claude on Anthropic's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.overhead import Pair, Subject, check
from fastproxy.types import Deployment
from testkit.formats import ANTHROPIC

if TYPE_CHECKING:
    import pytest
    from pytest_benchmark.fixture import BenchmarkFixture

KEY = "sk-ant-mock"
SUBJECT = Subject(
    Deployment("anthropic", "anthropic", "claude-sonnet-4-5", "", headers=(("x-api-key", KEY),)),
    ANTHROPIC,
    lambda upstream: f'[providers.anthropic]\nbase_url = "{upstream}"\napi_key = "{KEY}"\n',
)


def test_the_contract_holds_and_the_figures_are_shown(
    benchmark: BenchmarkFixture, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    check("anthropic", benchmark, pair, capsys)
