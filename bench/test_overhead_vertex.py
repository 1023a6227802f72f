"""What fastproxy adds to Gemini on Vertex AI."""

from __future__ import annotations

from bench.overhead import Pair, Subject, check
from bench.suite import Suite
from fastproxy.types import Deployment
from testkit.formats import GEMINI
from testkit.vertex import PROJECT, credentials, vertex_table

SUBJECT = Subject(
    Deployment("vertex", "vertex", "gemini-3-pro-preview", "", options={"project": PROJECT}),
    GEMINI,
    vertex_table,
    credentials,
)


def test_the_contract_holds_and_the_figures_are_shown(suite: Suite, pair: Pair) -> None:
    check("vertex", suite, pair)
