"""Running proxies for the integration tests: one process for each configuration, shared by a file's tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import openai
import pytest

from testkit.mock import MockUpstream
from testkit.proxy import FastproxyProcess
from testkit.vertex import credentials, vertex_table

KEY = "sk-test-key"
OTHER_KEY = "sk-other-key"
KEYS = f"""
[auth]
keys = [{{ name = "tests", key = "{KEY}" }}, {{ name = "others", key = "{OTHER_KEY}" }}]
"""
ONE_TRY = "max_retries = 0\nbreaker_failure_threshold = 0\n"
"""Settings of a provider by which each of its answers is seen as it comes."""
PROVIDERS = f"""
[auth]
keys = [{{{{ name = "tests", key = "{{key}}" }}}}]
[providers.deepseek]
api_key = "sk-upstream-secret"
base_url = "{{url}}"
{ONE_TRY}[providers.local]
kind = "openai"
api_key = "sk-upstream-secret"
base_url = "{{url}}/v1"
prefix = "local-"
{ONE_TRY}"""


@pytest.fixture(scope="module")
def proxy(mock_process: MockUpstream) -> Iterator[FastproxyProcess]:
    """A proxy with a key, and two OpenAI-format providers at the mock."""
    with FastproxyProcess(PROVIDERS.format(url=mock_process.url, key=KEY)) as running:
        yield running


@pytest.fixture
def client(proxy: FastproxyProcess) -> Iterator[openai.OpenAI]:
    with sdk(proxy) as made:
        yield made


@contextmanager
def sdk(proxy: FastproxyProcess, key: str = KEY) -> Iterator[openai.OpenAI]:
    """The OpenAI SDK pointed at a proxy; it does not retry, so that every answer is seen."""
    with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=key, max_retries=0, timeout=20) as made:
        yield made


def vertex_proxy(upstream: str, config: str = "") -> FastproxyProcess:
    """A proxy to Vertex AI at the mock; `config` are tables of one's own, put first."""
    table = vertex_table(upstream) + ONE_TRY
    return FastproxyProcess(config + KEYS + table, files=credentials(upstream))


@pytest.fixture(scope="session")
def vertex_process(mock_process: MockUpstream) -> Iterator[FastproxyProcess]:
    with vertex_proxy(mock_process.url) as running:
        yield running


@pytest.fixture
def vertex(vertex_process: FastproxyProcess, mock: MockUpstream) -> Iterator[openai.OpenAI]:
    """The OpenAI SDK at a proxy to Vertex AI, which is the mock without scripts."""
    with sdk(vertex_process) as made:
        yield made
