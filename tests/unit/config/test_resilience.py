"""The settings of limits, retries, fallbacks, breakers and queues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fastproxy.config import ConfigError, Settings, load
from fastproxy.types import Care

HOME = {"HOME": "/nonexistent"}
SHARED = "[server]\nworkers = 2\n[continuity]\nstorage = 'sqlite:///x'\n"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(toml: str = "", **environment: str) -> Settings:
    Path("given.toml").write_text(toml, "utf-8")
    return load("given.toml", HOME | environment)[0]


def fault(toml: str) -> str:
    with pytest.raises(ConfigError) as caught:
        settings(toml)
    return str(caught.value)


def test_without_settings_there_are_retries_and_breakers_and_no_limits() -> None:
    found = settings()
    assert found.providers["deepseek"].care(found.server.queue_seconds) == Care(2, 0, 5.0, 5, 30.0)
    assert (found.limits.storage, found.limits.on_failure) == ("memory://", "open")
    assert (found.limits.requests_per_minute, found.limits.tokens_per_minute) == (0, 0)
    assert (found.fallback.chain, found.server.trusted_proxies, found.has_limits) == ([], [], False)


def test_every_name_is_taken() -> None:
    found = settings("""
[server]
queue_seconds = 1.5
trusted_proxies = ["10.0.0.0/8", "::1"]
[auth]
keys = [{ name = "a", key = "k", requests_per_minute = 10, tokens_per_minute = 0 }]
[limits]
storage = "redis://r:6379"
on_failure = "closed"
requests_per_minute = 100
tokens_per_minute = 200000
[[limits.models]]
match = "gemini-*-pro"
requests_per_minute = 5
[[limits.models]]
match = "gemini-*"
tokens_per_minute = 1000
[providers.deepseek]
max_concurrency = 8
max_retries = 0
breaker_failure_threshold = 0
breaker_recovery_seconds = 2.5
[[routes]]
match = "x-*"
provider = "deepseek"
fallback = ["ollama-llama3.2"]
[fallback]
chain = ["deepseek-chat", "ollama/llama3.2", "x-1", "mine"]
[aliases]
mine = "gemini-2.5-pro"
""")
    assert found.providers["deepseek"].care(1.5) == Care(0, 8, 1.5, 0, 2.5)
    assert found.limits.on_failure == "closed"
    assert [(row.match, row.requests_per_minute, row.tokens_per_minute) for row in found.limits.models] == [
        ("gemini-*-pro", 5, None),
        ("gemini-*", None, 1000),
    ]
    assert (found.auth.keys[0].requests_per_minute, found.auth.keys[0].tokens_per_minute) == (10, 0)
    assert found.routes[0].fallback == ["ollama-llama3.2"]
    assert len(found.fallback.chain) == 4


def test_the_environment_can_say_it_too() -> None:
    found = settings(
        FASTPROXY_LIMITS__REQUESTS_PER_MINUTE="7",
        FASTPROXY_FALLBACK__CHAIN="deepseek-chat,ollama-x",
        FASTPROXY_LIMITS__STORAGE="env:PLACE",
        PLACE="redis://hidden:6379",
        FASTPROXY_LIMITS__MODELS='[{"match": "gemini-*", "requests_per_minute": 9}]',
    )
    assert found.limits.models[0].requests_per_minute == 9
    assert found.limits.requests_per_minute == 7
    assert found.fallback.chain == ["deepseek-chat", "ollama-x"]
    assert found.limits.storage == "redis://hidden:6379"


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[limits]\nrequest_per_minute = 1", "did you mean 'requests_per_minute'"),
        ("[limits]\nstorage = 'sqlite:///x'", "redis://host:6379"),
        ("[limits]\non_failure = 'ajar'", "limits.on_failure"),
        ("[limits]\nrequests_per_minute = -1", "limits.requests_per_minute"),
        ("[[limits.models]]\nmatch = 'x'", "limits.models.0: the limit of 'x' needs requests_per_minute or"),
        ("[[limits.models]]\nrequests_per_minute = 1", "limits.models.0.match"),
        ("[[limits.models]]\nmatch = 'x'\ntokens_per_minute = -1", "limits.models.0.tokens_per_minute"),
        ("[[limits.models]]\nmodel = 'x'\ntokens_per_minute = 1", "limits.models.0.model"),
        ("[server]\ntrusted_proxies = ['nginx']", "'nginx' is no address and no network"),
        ("[server]\nqueue_seconds = -1", "server.queue_seconds"),
        ("[providers.deepseek]\nmax_retries = 11", "providers.deepseek.max_retries"),
        ("[providers.deepseek]\nbreaker_recovery_seconds = 0", "breaker_recovery_seconds"),
        ("[fallback]\nchain = ['gpt-9']", "fallback.chain: no provider has a model 'gpt-9'"),
        ("[[routes]]\nmatch = 'a'\nprovider = 'ollama'\nfallback = ['gpt-9']", "(match = 'a'): fallback"),
        (SHARED + "[limits]\nrequests_per_minute = 1", 'set limits.storage to "redis://host:6379"'),
        (SHARED + "[[limits.models]]\nmatch = 'x'\ntokens_per_minute = 1", "limits.storage"),
        (SHARED + "[auth]\nkeys = [{ name = 'a', key = 'k', tokens_per_minute = 1 }]", "limits.storage"),
    ],
)  # fmt: skip
def test_a_fault_names_the_key_and_the_remedy(toml: str, words: str) -> None:
    assert words in fault(toml)


@pytest.mark.parametrize(
    "toml",
    [
        SHARED,
        SHARED + "[limits]\nrequests_per_minute = 1\nstorage = 'redis://r'",
        SHARED + "[auth]\nkeys = [{ name = 'a', key = 'k', tokens_per_minute = 0 }]",
        "[limits]\nrequests_per_minute = 1",
    ],
)
def test_this_is_allowed(toml: str) -> None:
    settings(toml)


def test_a_provider_knows_its_care(tmp_path: Path) -> None:
    known: dict[str, Any] = settings("[providers.ollama]\nmax_concurrency = 1").providers
    assert known["ollama"].care(0).max_concurrency == 1
