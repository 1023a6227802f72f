"""Hostile input by the thousand: no 500, no hang, no growth, and the proxy answers afterwards.

`make test` sends a bounded part, `make fuzz` (FASTPROXY_FUZZ=long) more than ten thousand requests and a new
seed each time; a failure names its seed, and FASTPROXY_FUZZ_SEED repeats it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fastproxy.api.openapi.document import make_document
from testkit.contract import registered_routes
from testkit.mock import MockUpstream
from testkit.process import Server
from testkit.proxy import FastproxyProcess
from tests.fuzz.attacker import Attacker

pytestmark = pytest.mark.slow

LONG = os.environ.get("FASTPROXY_FUZZ") == "long"  # noqa: TID251 - the tests' own switch
SEED = int(os.environ.get("FASTPROXY_FUZZ_SEED", secrets.randbits(32) if LONG else 1))  # noqa: TID251
RAW_REQUESTS = 9_000 if LONG else 1_200
DESCRIBED_REQUESTS = 400 if LONG else 40
"""For each operation, half of them good by the description and half bad."""
GROWTH_BYTES = 10 * 1024 * 1024
CONFIG = """
[server]
max_body_bytes = 1000000
log_level = "error"
[providers.demo]
max_retries = 0
breaker_failure_threshold = 0
"""
SCHEMA = schemathesis.openapi.from_dict(make_document(registered_routes()))
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations()]
GOOD, BAD = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
CASES = [(operation, GOOD) for operation in OPERATIONS]
CASES += [(operation, BAD) for operation in OPERATIONS if operation.body]


@pytest.fixture(scope="module")
def proxy() -> Iterator[FastproxyProcess]:
    with FastproxyProcess(CONFIG) as running:
        yield running
        assert "Traceback" not in running.output()


def assert_answers(proxy: Server) -> None:
    body = {"model": "demo-echo", "messages": [{"role": "user", "content": "still here?"}]}
    answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=body, timeout=5)
    assert answer.json()["choices"][0]["message"]["content"] == "still here?"
    assert httpx.get(f"{proxy.url}/health", timeout=5).json()["in_flight"] == 0


@pytest.mark.timeout(600)
def test_mutated_requests_over_raw_sockets(proxy: FastproxyProcess) -> None:
    Attacker(proxy.port, SEED + 1).attack(500)
    warm = proxy.worker_rss_bytes()
    attacker = Attacker(proxy.port, SEED)
    attacker.attack(RAW_REQUESTS)
    report = attacker.report
    grown = proxy.worker_rss_bytes() - warm
    told = f"seed {SEED}: {report.sent} requests, {dict(sorted(report.statuses.items()))}, "
    told += f"slowest {report.slowest_seconds:.2f} s, RSS {warm / 2**20:.1f} MiB {grown / 2**20:+.1f} MiB"
    print(told)
    assert not report.failures, told + "\n" + "\n".join(report.failures[:5])
    assert {200, 400, 404, 405, 413, 415, 429} <= set(report.statuses), told
    assert grown < GROWTH_BYTES, told
    assert_answers(proxy)


PROVIDERS = """
[providers.vertex]
api_key = "k"
base_url = "{url}"
[providers.deepseek]
api_key = "k"
base_url = "{url}"
[providers.anthropic]
api_key = "k"
base_url = "{url}"
[providers.ollama]
base_url = "{url}"
"""
TRANSLATED = ("gemini-2.5-flash", "deepseek-chat", "anthropic/claude-sonnet-4-5", "ollama-llama3.2")


@pytest.mark.timeout(600)
def test_mutated_requests_to_every_provider(mock: MockUpstream) -> None:
    """The translators: whatever the JSON is, the provider is asked or the client is told."""
    with FastproxyProcess(CONFIG + PROVIDERS.format(url=mock.url)) as proxy:
        attacker = Attacker(proxy.port, SEED, TRANSLATED)
        attacker.attack(RAW_REQUESTS // 4)
        told = f"seed {SEED}: {dict(sorted(attacker.report.statuses.items()))}"
        print(told)
        assert not attacker.report.failures, told + "\n" + "\n".join(attacker.report.failures[:5])
        assert_answers(proxy)


def tamed(case: schemathesis.Case, model: str) -> schemathesis.Case:
    """Most cases name a demo model: any other name is a 404, whatever else stands in the body."""
    if isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
        case.body["model"] = model
    return case


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("operation", "mode"), CASES, ids=[f"{mode.value} {one.method} {one.path}" for one, mode in CASES]
)
def test_what_is_described_is_what_is_answered(
    proxy: FastproxyProcess, operation: schemathesis.APIOperation, mode: schemathesis.GenerationMode
) -> None:
    has_input = bool(operation.body) or bool(operation.path_parameters)
    models = st.sampled_from(["demo-echo", "demo-tools", "demo-error-429", "demo-error-503", "nobody", ""])

    @seed(SEED)
    @settings(
        max_examples=DESCRIBED_REQUESTS if has_input else 2,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode), model=models)
    def check(case: schemathesis.Case, model: str) -> None:
        answer = tamed(case, model).call(base_url=proxy.url, timeout=10)
        assert answer.status_code != 500
        if answer.status_code >= 500:
            assert model == "demo-error-503"
        if answer.headers.get("content-type", [""])[0].startswith("application/json"):
            case.validate_response(
                answer,
                checks=[status_code_conformance, content_type_conformance, response_schema_conformance],
            )

    check()
    assert_answers(proxy)
