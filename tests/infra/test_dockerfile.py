"""The Dockerfile against what it copies, starts and sets; tests/image runs what it makes."""

from __future__ import annotations

import fnmatch
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fastproxy import __version__
from fastproxy.cli import main
from fastproxy.config import load
from testkit.process import ROOT
from tests.infra.dockerfile import Stage, read

ARGUMENTS, STAGES = read(ROOT / "Dockerfile")
FINAL = [stage for stage in STAGES if stage.name.startswith("fastproxy")]
BRIDGE, PROXY = FINAL
FILES = [ROOT / "Dockerfile", *sorted((ROOT / "infra").rglob("*Dockerfile"))]
KEYS = {"FASTPROXY_AUTH__KEYS": '[{"name": "test", "key": "sk-test"}]', "HOME": "/nonexistent"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_linter_finds_nothing(file: Path) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert hadolint, "make setup installs it"
    found = subprocess.run([hadolint, "--failure-threshold=style", file], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")


def sources() -> list[str]:
    copied = [arguments.split()[:-1] for stage in STAGES for arguments in stage.values("COPY")]
    return [source for words in copied if not words[0].startswith("--from") for source in words]


@pytest.mark.parametrize("source", sources())
def test_what_it_copies_is_there_and_reaches_the_builder(source: str) -> None:
    assert (ROOT / source).exists()
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")]
    assert rules[0] == "*"
    assert f"!{source}" in rules


def test_no_secret_and_no_rubbish_reaches_the_builder() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]
    for name in (".env", ".git", ".venv", "fastproxy.toml", "infra/.env", "tests"):
        assert not any(fnmatch.fnmatch(name, rule) or name.startswith(f"{rule}/") for rule in allowed)


def test_every_base_is_pinned_to_a_patch_release() -> None:
    assert {stage.base for stage in STAGES} == {f"${{{name}}}" for name in ARGUMENTS}
    for image in ARGUMENTS.values():
        assert re.fullmatch(r"docker\.io/library/\w+:\d+\.\d+\.\d+-[\w-]+(@sha256:[0-9a-f]{64})?", image)


def test_the_bases_run_what_we_support() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python = re.search(r"python:(\d+\.\d+)", ARGUMENTS["PYTHON_IMAGE"])
    assert python
    assert f"Programming Language :: Python :: {python[1]}" in project["classifiers"]


def test_the_proxy_is_what_is_built_by_default() -> None:
    assert STAGES[-1].name == "fastproxy"


@pytest.mark.parametrize("stage", FINAL, ids=lambda stage: stage.name)
def test_an_image_is_nobodys_ends_by_sigterm_and_tells_its_version(stage: Stage) -> None:
    assert stage.value("USER") == "10001:10001"
    assert signal.Signals[stage.value("STOPSIGNAL")] == signal.SIGTERM
    assert f"VERSION={__version__}" in stage.values("ARG")
    assert "--interval=" in stage.value("HEALTHCHECK")


def test_the_proxys_commands_exist() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    [program] = PROXY.command("ENTRYPOINT")
    assert program in scripts
    assert PROXY.command("CMD") == ["serve"]
    name, command = PROXY.command("HEALTHCHECK")
    assert name == program
    assert {"serve", command} <= set(main.commands)


def test_the_proxys_settings_load_once_a_key_is_given_and_lead_to_its_port() -> None:
    settings, _file = load(None, PROXY.environment() | KEYS)
    assert settings.server.host == "0.0.0.0"
    assert str(settings.server.port) == PROXY.value("EXPOSE")


def test_the_bridges_settings_are_ones_that_it_knows() -> None:
    known = set(re.findall(r'\["([A-Z_]+)", ', (ROOT / "bridge" / "src" / "config.ts").read_text()))
    own = [name for name in BRIDGE.environment() if name.startswith("FASTPROXY_BRIDGE_")]
    assert own
    assert {name.removeprefix("FASTPROXY_BRIDGE_") for name in own} <= known
    assert BRIDGE.environment()["FASTPROXY_BRIDGE_PORT"] == BRIDGE.value("EXPOSE")


def test_the_bridge_runs_the_file_that_the_build_writes() -> None:
    written = re.search(r'"dist/([\w.-]+\.cjs)"', (ROOT / "bridge" / "build.mjs").read_text())
    assert written
    folder = next(words.split()[-1] for words in BRIDGE.values("COPY"))
    assert BRIDGE.command("ENTRYPOINT") == ["node", f"{folder}/{written[1]}"]


def test_packages_come_by_their_hashes() -> None:
    script = "\n".join(arguments for stage in STAGES for arguments in stage.values("RUN"))
    installs = re.findall(r"pip install (.*?)(?:&&|$)", script, re.MULTILINE)
    assert installs
    for arguments in installs:
        assert "--require-hashes" in arguments or "/wheels/" in arguments
    assert "npm ci" in script
