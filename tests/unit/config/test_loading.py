"""From a file and the environment to settings, or one error that names key and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fastproxy.config import ConfigError, Settings, load, off_reasons
from fastproxy.types import Timeouts

NOWHERE = {"HOME": "/nonexistent"}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(toml: str = "", environment: Mapping[str, str] = NOWHERE, **overrides: Any) -> Settings:
    path = None
    if toml:
        Path("given.toml").write_text(toml, "utf-8")
        path = "given.toml"
    return load(path, NOWHERE | dict(environment), overrides)[0]


def fault(toml: str = "", environment: Mapping[str, str] = NOWHERE, **overrides: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        settings(toml, environment, **overrides)
    return str(caught.value)


def test_without_a_file_there_are_defaults() -> None:
    found, file = load(None, NOWHERE)
    assert file is None
    assert (found.server.host, found.server.port, found.server.workers) == ("127.0.0.1", 4000, 1)
    assert found.server.max_body_bytes == 33_554_432
    assert found.providers["ollama"].timeouts == Timeouts(5, 300, 60, 1800)
    assert found.providers["deepseek"].timeouts == Timeouts(5, 60, 60, 1800)
    assert {"demo", "vertex", "anthropic", "deepseek", "ollama"} <= set(found.providers)


def test_the_file_here_comes_before_the_one_at_home_and_a_given_one_before_both(tmp_path: Path) -> None:
    home = tmp_path / "home"
    own = home / ".config" / "fastproxy" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("[server]\nport = 1\n")
    environment = {"HOME": str(home)}
    assert load(None, environment)[1] == own
    assert load(None, {"XDG_CONFIG_HOME": str(home / ".config")})[1] == own
    Path("fastproxy.toml").write_text("[server]\nport = 2\n")
    assert load(None, environment)[0].server.port == 2
    Path("other.toml").write_text("[server]\nport = 3\n")
    assert load("other.toml", environment)[0].server.port == 3


def test_the_command_line_wins_over_the_environment_and_that_over_the_file() -> None:
    toml = '[server]\nport = 1\nhost = "localhost"\nworkers = 1'
    environment = {"FASTPROXY_SERVER__PORT": "2", "FASTPROXY_SERVER__HOST": "::1"}
    server = settings(toml, environment, port=3, host=None, log_level=None).server
    assert (server.port, server.host) == (3, "::1")


@pytest.mark.parametrize(
    ("name", "value", "place", "expected"),
    [
        ("SERVER__PORT", "5", "server.port", 5),
        ("server__metrics_open", "true", "server.metrics_open", True),
        ("PROVIDERS__OLLAMA__BASE_URL", "http://b:1/", "providers.ollama.base_url", "http://b:1"),
        ("PROVIDERS__DEEPSEEK__MODELS", "a, b,", "providers.deepseek.models", ["a", "b"]),
        ("PROVIDERS__DEEPSEEK__MODELS", '["a","b"]', "providers.deepseek.models", ["a", "b"]),
        ("AUTH__KEYS", '[{"name":"x","key":"y"}]', "auth.keys.0.name", "x"),
        ("PROVIDERS__BOX", '{"kind":"openai","base_url":"https://b/v1"}', "providers.box.kind", "openai"),
        ("PROVIDERS__MY_BOX__PREFIX", "b-", "providers.My-Box.prefix", "b-"),
        ("ALIASES", '{"fast":"ollama/x"}', "aliases.fast", "ollama/x"),
    ],
)
def test_every_key_can_be_set_in_the_environment(name: str, value: str, place: str, expected: Any) -> None:
    toml = '[providers.My-Box]\nkind = "openai"\nbase_url = "https://b/v1"\nprefix = "a-"\n'
    found: Any = settings(toml, {"FASTPROXY_" + name: value})
    for part in place.split("."):
        if isinstance(found, dict):
            found = found[part]
        else:
            found = found[int(part)] if isinstance(found, list) else getattr(found, part)
    assert found == expected


def test_variables_of_other_parts_are_left_alone() -> None:
    settings("", {"FASTPROXY_BRIDGE_PORT": "x", "FASTPROXY_TEST_X": "y", "OTHER": "z"})


def test_a_provider_is_explicitly_on_where_it_stands_in_the_file() -> None:
    found = settings("[providers.vertex]\n").providers
    assert (found["vertex"].enabled, found["ollama"].enabled) == (True, None)


def test_secrets_may_stand_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    found = settings(
        '[providers.deepseek]\napi_key = "env:MINE"\n'
        f'[providers.anthropic]\napi_key = "file:{tmp_path}/key"\n',
        {"MINE": "from-the-environment"},
    ).providers
    assert found["deepseek"].api_key.get_secret_value() == "from-the-environment"  # type: ignore[union-attr]
    assert found["anthropic"].api_key.get_secret_value() == "from-a-file"  # type: ignore[union-attr]


def test_keys_of_providers_come_from_their_usual_variables() -> None:
    found = settings("", {"DEEPSEEK_API_KEY": "sk-d", "GOOGLE_CLOUD_PROJECT": "p"}).providers
    assert found["deepseek"].api_key.get_secret_value() == "sk-d"  # type: ignore[union-attr]
    assert found["vertex"].project == "p"  # type: ignore[union-attr]


def test_all_secrets_are_known_to_whoever_must_hide_them() -> None:
    toml = """
    auth.keys = [{ name = "me", key = "client-one" }, { name = "you", key = "client-two" }]
    [providers.deepseek]
    api_key = "env:MINE"
    [providers.box]
    kind = "openai"
    base_url = "http://box/v1"
    api_key = "box-key"
    """
    loaded = settings(toml, {"MINE": "from-outside", "HOME": "/nowhere"}).with_bridge(
        "http://b", "bridge-secret"
    )
    wanted = {"client-one", "client-two", "from-outside", "box-key", "bridge-secret"}
    assert wanted <= set(loaded.secrets())


def test_secrets_are_shown_nowhere() -> None:
    found = settings('[auth]\nkeys = [{ name = "x", key = "sk-hush" }]', {"DEEPSEEK_API_KEY": "sk-hush"})
    assert "sk-hush" not in repr(found) + found.model_dump_json()


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[server]\nprot = 1", ("unknown key server.prot", "did you mean 'port'")),
        ("[sever]\nport = 1", ("unknown key sever", "did you mean 'server'")),
        ("[server]\nzzzzzz = 1", ("unknown key server.zzzzzz",)),
        ("[server]\nport = 99999", ("server.port", "65535")),
        ('[server]\nlog_level = "loud"', ("server.log_level", "'debug', 'info'")),
        ("[providers.ollama]\nnum_ctxx = 1", ("unknown key providers.ollama.num_ctxx", "'num_ctx'")),
        ("[providers.ollama]\nidle_timeout = 0", ("providers.ollama.idle_timeout", "greater than 0")),
        ('[providers.ollama]\nbase_url = "localhost:11434"', ("providers.ollama.base_url", "http://")),
        ("[providers.ollama]\nbase_url = 3", ("providers.ollama.base_url", "string")),
        ("[providers.box]\nprefix = 'x'", ("providers.box", "kind =", "openai")),
        ("[providers.box]\nkind = 'nope'", ("providers.box", "kind =", "openai")),
        ("[providers.box]\nkind = 'openai'", ("providers.box", "base_url")),
        ("providers = 3", ("providers",)),
        ("[providers]\nollama = 3", ("providers.ollama",)),
        ("server = 3", ("server",)),
        ("[[routes]]\nmatch = 'a'\nprovider = 'nobody'", ("'nobody' is not configured", "ollama")),
        ("[[routes]]\nmatch = 'a'\nprovidr = 'ollama'", ("routes.0.providr", "'provider'")),
        ("[server]\nworkers = 2", ("continuity.storage", "sqlite:///")),
        ("[server]\nhost = '0.0.0.0'", ("auth.keys", "auth.insecure")),
        ("[auth]\nkeys = [{ name = 'x' }]", ("auth.keys.0", "'x'", "key", "sha256")),
        ("[auth]\nkeys = [{ name = 'x', key = 'env:UNSET' }]", ("auth.keys.0", "not empty")),
        ("[auth]\nkeys = [{ name = 'x', key = 'y', sha256 = 'z' }]", ("auth.keys.0", "not both")),
        ("[auth]\nkeys = [{ name = 'x', sha256 = 'z' }]", ("auth.keys.0", "64 hexadecimal")),
        ("[auth]\nkeys = [{ name = 'x', kye = 'y' }]", ("auth.keys.0.kye", "'key'")),
        ("[auth]\nkeys = [{ name = 'x', key = 'file:/nonexistent/k' }]", ("/nonexistent/k", "No such file")),
        ("[server\n", ("not valid TOML", "given.toml")),
    ],
)  # fmt: skip
def test_a_fault_names_the_key_and_the_remedy(toml: str, words: tuple[str, ...]) -> None:
    message = fault(toml, port=None)
    assert message.startswith("given.toml: ")
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("FASTPROXY_PORT", "1", "FASTPROXY_SECTION__KEY"),
        ("FASTPROXY_SERVER__", "1", "FASTPROXY_SECTION__KEY"),
        ("FASTPROXY_AUTH__KEYS", "[{", "not valid JSON"),
        ("FASTPROXY_SERVER__PORT__X", "1", "port is not a table"),
        ("FASTPROXY_SERVER__PROT", "1", "did you mean 'port'"),
    ],
)
def test_a_fault_of_the_environment_names_the_variable(name: str, value: str, words: str) -> None:
    message = fault("[server]\nport = 1", {name: value})
    assert words in message


def test_every_fault_is_told_at_once() -> None:
    assert len(fault("[server]\nport = -1\nworkers = 0").splitlines()) == 2


def test_no_fault_shows_a_secret() -> None:
    assert "sk-hush" not in fault("[auth]\nkeys = [{ name = 'x', key = 'sk-hush', sha256 = 'sk-hush' }]")


def test_a_file_that_is_not_there_or_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file \(given by --config\)"):
        load("nowhere.toml", NOWHERE)
    (tmp_path / "latin.toml").write_bytes(b'x = "\xfc"')
    with pytest.raises(ConfigError, match="cannot be read"):
        load("latin.toml", NOWHERE)


def test_a_secret_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    assert "not UTF-8 text" in fault(f"[auth]\nkeys = [{{ name = 'x', key = 'file:{tmp_path}/key' }}]")


@pytest.mark.parametrize(
    "toml",
    [
        "[server]\nhost = '0.0.0.0'\n[auth]\ninsecure = true",
        "[server]\nhost = '0.0.0.0'\n[auth]\nkeys = [{ name = 'x', key = 'y' }]",
        "[server]\nhost = '::1'",
        "[server]\nhost = 'localhost'",
        "[server]\nworkers = 2\n[continuity]\nstorage = 'sqlite:///x'",
        "[providers.box]\nkind = 'openai'\nenabled = false",
        "[[routes]]\nmatch = 'gpt-*'\nprovider = 'ollama'",
    ],
)
def test_this_is_allowed(toml: str) -> None:
    settings(toml)


def test_a_key_is_known_by_its_digest_however_it_was_given() -> None:
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    keys = settings(
        f"[auth]\nkeys = [{{ name = 'a', key = 'secret' }}, {{ name = 'b', sha256 = '{digest.upper()}' }}]"
    ).auth.keys
    assert [key.digest for key in keys] == [digest, digest]


def reasons(toml: str = "", environment: Mapping[str, str] = NOWHERE) -> dict[str, str]:
    full = NOWHERE | dict(environment)
    return off_reasons(settings(toml, full), full)


def test_a_provider_without_its_credential_is_off_and_says_what_to_do() -> None:
    found = reasons()
    assert found["deepseek"] == "set DEEPSEEK_API_KEY or providers.deepseek.api_key"
    assert found["anthropic"] == "set ANTHROPIC_API_KEY or providers.anthropic.api_key"
    assert "gcloud auth application-default login" in found["vertex"]
    assert (found["ollama"], found["demo"]) == ("", "")


def test_with_its_credential_it_is_on(tmp_path: Path) -> None:
    (tmp_path / "application_default_credentials.json").write_text("{}")
    found = reasons("", {"DEEPSEEK_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "CLOUDSDK_CONFIG": str(tmp_path)})
    assert not any(found[name] for name in ("deepseek", "anthropic", "vertex"))


@pytest.mark.parametrize(
    ("toml", "environment"),
    [
        ("[providers.vertex]\nproject = 'p'", {}),
        ("", {"FASTPROXY_PROVIDERS__VERTEX__API_KEY": "k"}),
        ("", {"GOOGLE_APPLICATION_CREDENTIALS": "/some/file"}),
    ],
)
def test_vertex_is_on_where_it_is_configured_in_any_way(toml: str, environment: dict[str, str]) -> None:
    assert reasons(toml, environment)["vertex"] == ""


def test_a_provider_that_was_switched_off_says_so() -> None:
    found = reasons("[providers.ollama]\nenabled = false\n[providers.demo]\nenabled = false")
    assert found["ollama"] == "switched off (providers.ollama.enabled = false)"
    assert found["demo"]


def test_a_custom_provider_is_on_with_and_without_a_key() -> None:
    assert reasons("[providers.box]\nkind = 'openai'\nbase_url = 'http://b/v1'")["box"] == ""


def test_what_kubernetes_tells_of_a_service_named_fastproxy_is_no_setting() -> None:
    links = {
        "FASTPROXY_SERVICE_HOST": "10.96.0.7",
        "FASTPROXY_SERVICE_PORT": "4000",
        "FASTPROXY_SERVICE_PORT_HTTP": "4000",
        "FASTPROXY_PORT": "tcp://10.96.0.7:4000",
        "FASTPROXY_PORT_4000_TCP": "tcp://10.96.0.7:4000",
        "FASTPROXY_PORT_4000_TCP_ADDR": "10.96.0.7",
        "FASTPROXY_CANARY_SERVICE_HOST": "10.96.0.8",
    }
    assert load(None, NOWHERE | links)[0].server.port == 4000


@pytest.mark.parametrize("name", ["FASTPROXY_PORT", "FASTPROXY_HOST", "FASTPROXY_SERVICE"])
def test_a_setting_without_its_section_is_a_mistake_all_the_same(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: a setting's variable is spelled FASTPROXY_SECTION__KEY"):
        load(None, NOWHERE | {name: "4001"})


COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"


def test_the_collector_may_stand_in_opentelemetrys_own_variable() -> None:
    assert (
        settings(environment={COLLECTOR: "http://collector:4318/"}).tracing.endpoint
        == "http://collector:4318"
    )
    given = settings('[tracing]\nendpoint = "http://mine:4318"', {COLLECTOR: "http://collector:4318"})
    assert given.tracing.endpoint == "http://mine:4318"
    assert settings().tracing.endpoint == ""


def test_an_address_for_other_programs_in_that_variable_switches_nothing_on() -> None:
    assert settings(environment={COLLECTOR: "collector:4317"}).tracing.endpoint == ""
    with pytest.raises(ConfigError, match=r"tracing\.endpoint: must begin with http"):
        settings('[tracing]\nendpoint = "collector:4317"')


def test_two_keys_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"auth\.keys: two keys are called 'team'"):
        settings('[auth]\nkeys = [{ name = "team", key = "sk-1" }, { name = "team", key = "sk-2" }]')
