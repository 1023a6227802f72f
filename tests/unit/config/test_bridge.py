"""When the bridge to the claude CLI can run, what is missing where it cannot, and what it gets to see."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastproxy.config import BridgeLaunch, Settings, bridge, bridge_launch, off_reasons
from fastproxy.config.loading import load


class Machine:
    """A machine with the programs that a test puts on it."""

    def __init__(self, root: Path) -> None:
        self.home, self.bin = root / "home", root / "bin"
        self.bin.mkdir()
        self.environment = {"PATH": str(self.bin), "HOME": str(self.home)}

    def install(self, name: str, folder: Path | None = None) -> str:
        file = (folder or self.bin) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
        return str(file)

    def settings(self, **claude: object) -> Settings:
        return Settings.model_validate(
            {"providers": {"claude": claude}}, context={"environment": self.environment}
        )

    def reason(self, **claude: object) -> str:
        return off_reasons(self.settings(**claude), self.environment)["claude"]

    def launch(self, **claude: object) -> BridgeLaunch | None:
        settings = self.settings(**claude)
        return bridge_launch(settings, off_reasons(settings, self.environment), self.environment)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with nothing but the built bridge."""
    built = tmp_path / "bridge.cjs"
    built.write_text("")
    monkeypatch.setattr(bridge, "_PLACES", (built,))
    return Machine(tmp_path)


@pytest.fixture
def ready(machine: Machine) -> Machine:
    machine.install("node")
    machine.install("claude")
    return machine


def test_without_the_cli_it_says_how_to_install_it(machine: Machine) -> None:
    machine.install("node")
    assert "npm install -g @anthropic-ai/claude-code" in machine.reason()
    assert "providers.claude.claude_bin" in machine.reason()
    assert machine.launch() is None


def test_without_node_it_says_so(machine: Machine) -> None:
    machine.install("claude")
    assert "install Node.js 20 or newer" in machine.reason()
    assert machine.launch() is None


def test_without_the_built_bridge_it_says_how_to_build_it(
    ready: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "_PLACES", ())
    assert "make bridge" in ready.reason()
    assert ready.launch() is None


def test_a_bridge_elsewhere_needs_nothing_here_and_is_not_started(machine: Machine) -> None:
    assert machine.reason(bridge_url="http://bridge:4001") == ""
    assert machine.launch(bridge_url="http://bridge:4001") is None


def test_one_that_is_switched_off_is_not_started(ready: Machine) -> None:
    assert "switched off" in ready.reason(enabled=False)
    assert ready.launch(enabled=False) is None


@pytest.mark.parametrize("folder", [".local/bin", ".claude/local"])
def test_the_cli_is_found_where_its_own_installers_put_it(machine: Machine, folder: str) -> None:
    machine.install("node")
    file = machine.install("claude", machine.home / folder)
    assert machine.reason() == ""
    launch = machine.launch()
    assert launch is not None
    assert launch.environment["FASTPROXY_BRIDGE_CLAUDE_BIN"] == file


def test_a_path_of_ones_own_is_taken_and_made_whole(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.install("node")
    file = machine.install("other-claude", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    for written in (file, "./elsewhere/other-claude"):
        launch = machine.launch(claude_bin=written)
        assert launch is not None
        assert launch.environment["FASTPROXY_BRIDGE_CLAUDE_BIN"] == file
    assert "install the claude CLI" in machine.reason(claude_bin="./elsewhere/no-claude")


def test_the_bridge_sees_an_allowed_part_of_the_environment(ready: Machine) -> None:
    ready.environment |= {
        "ANTHROPIC_API_KEY": "sk-ant",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://proxy:3128",
        "DEEPSEEK_API_KEY": "sk-deepseek",
        "AWS_SECRET_ACCESS_KEY": "aws",
        "GOOGLE_APPLICATION_CREDENTIALS": "/file",
        "NODE_OPTIONS": "--inspect",
        "FASTPROXY_AUTH__KEYS": "sk-ours",
        "FASTPROXY_BRIDGE_LOG_LEVEL": "debug",
        "CLAUDE_CODE_EXTRA_BODY": "{}",
    }
    launch = ready.launch()
    assert launch is not None
    passed = {name for name in launch.environment if not name.startswith("FASTPROXY_BRIDGE_")}
    assert passed == {"PATH", "HOME", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "HTTPS_PROXY"}
    assert launch.environment["FASTPROXY_BRIDGE_LOG_LEVEL"] == "info"
    whole = launch.environment_at(4001, "secret")
    assert (whole["FASTPROXY_BRIDGE_PORT"], whole["FASTPROXY_BRIDGE_SECRET"]) == ("4001", "secret")
    assert not [name for name in whole if name.startswith("FASTPROXY_") and "BRIDGE" not in name]


def test_our_settings_are_the_bridges(ready: Machine, tmp_path: Path) -> None:
    file = tmp_path / "given.toml"
    file.write_text(
        '[server]\nlog_level = "warning"\ndrain_seconds = 2.6\nmax_body_bytes = 5000\n'
        "[providers.claude]\npool_size = 3\nmax_processes = 5\ntotal_timeout = 90\n"
    )
    settings, _ = load(str(file), ready.environment)
    launch = bridge_launch(settings, off_reasons(settings, ready.environment), ready.environment)
    assert launch is not None
    told = {name.removeprefix("FASTPROXY_BRIDGE_"): value for name, value in launch.environment.items()}
    assert {name: told[name] for name in told if name not in ready.environment} == {
        "POOL_SIZE": "3",
        "MAX_PROCESSES": "5",
        "TIMEOUT_SECONDS": "90",
        "DRAIN_SECONDS": "3",
        "MAX_BODY_BYTES": "5000",
        "LOG_LEVEL": "warn",
        "CLAUDE_BIN": str(ready.bin / "claude"),
        "WATCH_STDIN": "1",
    }


def test_every_claude_provider_gets_the_address_of_our_bridge_but_who_has_one(ready: Machine) -> None:
    settings = Settings.model_validate(
        {"providers": {"claude": {}, "far": {"kind": "claude", "bridge_url": "http://far:4001"}}},
        context={"environment": {}},
    ).with_bridge("http://127.0.0.1:9", "secret")
    urls = {name: getattr(table, "bridge_url", None) for name, table in settings.providers.items()}
    assert (urls["claude"], urls["far"]) == ("http://127.0.0.1:9", "http://far:4001")
