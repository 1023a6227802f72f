"""Running proxies for the integration tests: one process for each configuration, shared by a file's tests."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from testkit.mock import MockUpstream
from testkit.proxy import FastproxyProcess

KEY = "sk-test-key"
PROVIDERS = """
[auth]
keys = [{{ name = "tests", key = "{key}" }}]
[providers.deepseek]
api_key = "sk-upstream-secret"
base_url = "{url}"
[providers.local]
kind = "openai"
api_key = "sk-upstream-secret"
base_url = "{url}/v1"
prefix = "local-"
"""


@pytest.fixture(scope="module")
def proxy(mock_process: MockUpstream) -> Iterator[FastproxyProcess]:
    """A proxy with a key, and two OpenAI-format providers at the mock."""
    with FastproxyProcess(PROVIDERS.format(url=mock_process.url, key=KEY)) as running:
        yield running


@pytest.fixture
def client(proxy: FastproxyProcess) -> Iterator[openai.OpenAI]:
    """The OpenAI SDK pointed at the proxy; it does not retry, so that every answer is seen."""
    with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY, max_retries=0, timeout=20) as made:
        yield made
