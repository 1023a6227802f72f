"""What each provider's table becomes, and what is listed of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastproxy.catalogue import Catalogue
from fastproxy.config import ProviderSettings, Settings, load
from fastproxy.errors import ProxyError
from fastproxy.providers import PROVIDERS
from fastproxy.routing import ProviderEntry, Router
from fastproxy.types import Timeouts
from fastproxy.wiring import google_credentials, provider_entries, route_rules

BOX = {
    "FASTPROXY_PROVIDERS__BOX__KIND": "openai",
    "FASTPROXY_PROVIDERS__BOX__BASE_URL": "https://box.example/v1",
    "FASTPROXY_PROVIDERS__BOX__API_KEY": "sk-box",
    "FASTPROXY_PROVIDERS__BOX__MODELS": "qwen,llama",
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(**environment: str) -> Settings:
    return load(None, {"HOME": "/nonexistent"} | environment)[0]


def entries(reasons: dict[str, str] | None = None, **environment: str) -> dict[str, ProviderEntry]:
    return {entry.name: entry for entry in provider_entries(settings(**environment), reasons or {})}


def listed(reasons: dict[str, str] | None = None, **environment: str) -> dict[str, str]:
    found = settings(**environment)
    router = Router(provider_entries(found, reasons or {}), aliases=found.aliases)
    return {model.id: model.owned_by for model in Catalogue(router).models()}


def test_every_kind_of_settings_has_its_row_in_the_table() -> None:
    kinds = {cls.model_fields["kind"].default for cls in ProviderSettings.__subclasses__()}
    assert kinds <= set(PROVIDERS)


def test_a_custom_provider_becomes_a_deployment() -> None:
    found = entries(**BOX, FASTPROXY_PROVIDERS__BOX__IDLE_TIMEOUT="7")["box"]
    place = found.deployment("qwen")
    assert (place.provider, place.kind, place.model) == ("box", "openai", "qwen")
    assert place.base_url == "https://box.example/v1"
    assert place.headers == (("authorization", "Bearer sk-box"),)
    assert place.timeouts == Timeouts(5, 60, 7, 1800)
    assert place.credential == ""


def test_a_key_goes_where_the_provider_looks_for_it() -> None:
    place = entries(ANTHROPIC_API_KEY="sk-ant")["anthropic"].deployment("claude-opus-4-5")
    assert dict(place.headers)["x-api-key"] == "sk-ant"


def test_options_are_the_providers_own_settings_and_hold_no_key() -> None:
    place = entries(FASTPROXY_PROVIDERS__OLLAMA__NUM_CTX="4096")["ollama"].deployment("ollama-x")
    assert (place.options["num_ctx"], place.model) == (4096, "x")
    assert not {"api_key", "base_url", "prefix", "enabled"} & set(place.options)


@pytest.mark.parametrize(("key", "credential"), [("", "vertex"), ("AIza", "")])
def test_vertex_takes_googles_credential_unless_it_has_a_key(key: str, credential: str) -> None:
    environment = {"FASTPROXY_PROVIDERS__VERTEX__API_KEY": key} if key else {}
    place = entries(**environment)["vertex"].deployment("gemini-2.5-pro")
    assert (place.credential, place.options["express"]) == (credential, bool(key))
    assert set(google_credentials(settings(**environment), {})) == ({credential} if credential else set())


def test_a_provider_that_is_off_has_no_credential_made() -> None:
    assert google_credentials(settings(), {"vertex": "off"}) == {}


def test_rules_keep_their_order() -> None:
    routes = '[{"match":"b*","provider":"demo"},{"match":"a*","provider":"ollama"}]'
    rules = route_rules(settings(FASTPROXY_ROUTES=routes))
    assert [(rule.match, rule.provider) for rule in rules] == [("b*", "demo"), ("a*", "ollama")]


@pytest.mark.parametrize("prefix", ["", "box-"])
def test_every_listed_model_can_be_called(prefix: str) -> None:
    environment = {
        **BOX,
        "FASTPROXY_PROVIDERS__BOX__PREFIX": prefix,
        "FASTPROXY_PROVIDERS__VERTEX__MODELS": "gemini-2.5-pro,my-tuned-model,claude-opus-4-5",
        "FASTPROXY_ALIASES": '{"gpt-4o":"ollama/qwen","fast":"box/qwen","broken":"nobody/x"}',
    }
    found = settings(**environment)
    router = Router(provider_entries(found, {}), aliases=found.aliases)
    names = listed(**environment)
    for name, owner in names.items():
        assert router.resolve(name).deployments[0].provider == owner
    assert {"gpt-4o", "fast", "demo-chat", "gemini-2.5-pro"} <= set(names)
    assert (names["gpt-4o"], names["fast"]) == ("ollama", "box")
    assert "broken" not in names
    assert {name for name, owner in names.items() if owner == "box" and name != "fast"} == {
        f"{prefix or 'box/'}{model}" for model in ("qwen", "llama")
    }


def test_models_of_a_provider_that_is_off_are_not_listed_and_cannot_be_called() -> None:
    assert "deepseek-chat" in listed()
    assert "deepseek-chat" not in listed({"deepseek": "set DEEPSEEK_API_KEY"})
    router = Router(provider_entries(settings(), {"deepseek": "set DEEPSEEK_API_KEY"}))
    with pytest.raises(ProxyError, match="set DEEPSEEK_API_KEY"):
        router.resolve("deepseek-chat")


def test_each_provider_tells_how_it_fares() -> None:
    router = Router(provider_entries(settings(), {"deepseek": "set DEEPSEEK_API_KEY"}))
    states = Catalogue(router).providers()
    assert states["deepseek"] == {"state": "off", "reason": "set DEEPSEEK_API_KEY"}
    assert states["demo"] == {"state": "on"}
