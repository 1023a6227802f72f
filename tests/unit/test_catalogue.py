"""What is listed: configured and discovered models, aliases, and how each provider fares."""

from __future__ import annotations

import pytest

from fastproxy.catalogue import Catalogue
from fastproxy.errors import ProxyError
from fastproxy.routing import ProviderEntry, Router
from fastproxy.types import Deployment, Json
from fastproxy.wire.openai.models import ModelInfo


class Known:
    """Discovery that has found something."""

    def __init__(self, fault: str = "", **models: str) -> None:
        self._models, self._fault = models, fault

    def models(self, provider: str) -> tuple[ModelInfo, ...]:
        return tuple(
            ModelInfo(name, provider, context_length=9) for name in self._models.get(provider, "").split()
        )

    def fault(self, provider: str) -> str:
        return self._fault if provider == "ollama" else ""

    def state(self, provider: str) -> Json:
        return {"version": "1.2"} if provider == "box" else {}


def catalogue(found: Known, aliases: dict[str, str] | None = None) -> Catalogue:
    entries = [
        ProviderEntry(
            "ollama",
            ("ollama-",),
            True,
            Deployment("ollama", "ollama", "", "http://x"),
            ("ollama-mine",),
            prefix="ollama-",
        ),
        ProviderEntry("box", (), True, Deployment("box", "openai", "", "http://y")),
        ProviderEntry("off", ("off-",), True, Deployment("off", "openai", "", "z"), off_reason="no key"),
    ]
    router = Router(entries, aliases=aliases)
    made = Catalogue(router, found)
    router.known_models = made.names
    return made


def test_what_was_found_is_listed_under_the_names_that_clients_write() -> None:
    made = catalogue(Known(ollama="llama3.2:latest mine", box="org/m", off="x"), {"fast": "ollama-mine"})
    assert made.names() == ["ollama-mine", "ollama-llama3.2:latest", "box/org/m", "fast"]
    fast = made.models()[-1]
    assert (fast.owned_by, fast.context_length) == ("ollama", 9)
    router = made._router
    assert [router.resolve(name).deployments[0].model for name in made.names()[1:3]] == [
        "llama3.2:latest",
        "org/m",
    ]


def test_a_provider_that_does_not_answer_keeps_its_configured_models_and_says_why() -> None:
    made = catalogue(Known(fault="Ollama is not running"))
    assert made.names() == ["ollama-mine"]
    assert made.providers()["ollama"] == {"state": "not answering", "reason": "Ollama is not running"}
    assert made.providers()["box"] == {"state": "on", "version": "1.2"}
    assert made.providers()["off"] == {"state": "off", "reason": "no key"}


def test_an_unknown_model_is_told_the_nearest_that_was_found_and_an_unseen_one_is_tried() -> None:
    router = catalogue(Known(ollama="llama3.2"))._router
    with pytest.raises(ProxyError, match=r"Did you mean ollama-llama3\.2\?"):
        router.resolve("olama-llama3.2")
    assert router.resolve("ollama-unseen").deployments[0].model == "unseen"


def test_a_google_credential_that_fails_shows() -> None:
    entries = [ProviderEntry("vertex", ("gemini-",), False, Deployment("vertex", "vertex", "", ""))]
    status = {"valid": False, "last_error": "revoked", "project": None}
    made = Catalogue(Router(entries), None, lambda: {"vertex": status})
    assert made.providers()["vertex"] == {"state": "not answering", "reason": "revoked", "credential": status}


def test_every_model_is_listed_under_a_neutral_name_too() -> None:
    made = catalogue(Known(ollama="llama3.2:3b"), {"ol-mine": "box/other"})
    listed = {model.id: model for model in made.models()}
    assert list(listed) == ["ollama-mine", "ollama-llama3.2:3b", "ol-mine", "ol-llama3.2:3b"]
    assert listed["ol-llama3.2:3b"].context_length == 9
    assert made.real_name("ol-llama3.2:3b") == "ollama-llama3.2:3b"


def test_what_was_found_or_configured_is_known_to_exist() -> None:
    made = catalogue(Known(ollama="llama3.2:latest"))
    names = ("ollama-mine", "ollama-llama3.2", "ollama-other")
    assert [made.lists(made._router.resolve(name).deployments[0]) for name in names] == [True, True, False]
