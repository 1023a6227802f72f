"""What fastproxy adds to Gemini on Vertex AI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.overhead import Pair, Subject, check
from fastproxy.types import Deployment
from testkit.formats import GEMINI
from testkit.vertex import PROJECT, credentials, vertex_table

if TYPE_CHECKING:
    import pytest
    from pytest_benchmark.fixture import BenchmarkFixture

SUBJECT = Subject(
    Deployment("vertex", "vertex", "gemini-3-pro-preview", "", options={"project": PROJECT}),
    GEMINI,
    vertex_table,
    credentials,
)


def test_the_contract_holds_and_the_figures_are_shown(
    benchmark: BenchmarkFixture, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    check("vertex", benchmark, pair, capsys)
