"""What fastproxy adds to Claude on Anthropic's API."""

from __future__ import annotations

from bench.overhead import Pair, Subject, check
from bench.suite import Suite
from fastproxy.types import Deployment
from testkit.formats import ANTHROPIC

KEY = "sk-ant-mock"
SUBJECT = Subject(
    Deployment("anthropic", "anthropic", "claude-sonnet-4-5", "", headers=(("x-api-key", KEY),)),
    ANTHROPIC,
    lambda upstream: f'[providers.anthropic]\nbase_url = "{upstream}"\napi_key = "{KEY}"\n',
)


def test_the_contract_holds_and_the_figures_are_shown(suite: Suite, pair: Pair) -> None:
    check("anthropic", suite, pair)
