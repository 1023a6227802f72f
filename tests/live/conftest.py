"""The real providers: fastproxy started as a user starts it, with the credentials of who runs the tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import openai
import pytest

from testkit.proxy import FastproxyProcess

KEY = "sk-live-tests"
Start = Callable[..., openai.OpenAI]


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Starts a proxy with one provider's table; the OpenAI SDK at it."""
    with ExitStack() as stack:

        def start(table: str, environment: Mapping[str, str] | None = None) -> openai.OpenAI:
            config = f'[auth]\nkeys = [{{ name = "live", key = "{KEY}" }}]\n{table}'
            proxy = stack.enter_context(FastproxyProcess(config, environment))
            return stack.enter_context(openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY, timeout=120))

        yield start


def needed(*names: str) -> dict[str, str]:
    """These variables of the environment; skips the test where one of them is not set."""
    missing = [name for name in names if not os.environ.get(name)]  # noqa: TID251
    if missing:
        pytest.skip(f"{' and '.join(missing)} not set")
    return {name: os.environ[name] for name in names}  # noqa: TID251


def chosen(name: str, default: str) -> str:
    """A variable of the environment, or its default."""
    return os.environ.get(name) or default  # noqa: TID251
