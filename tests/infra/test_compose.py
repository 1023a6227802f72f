"""docker-compose.yml: valid, hardened, and the proxy starts with what it gives it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from fastproxy.config import ConfigError, Settings, load
from testkit.process import ROOT
from testkit.proxy import FastproxyProcess
from tests.infra.dockerfile import read

FILE = ROOT / "infra" / "docker-compose.yml"
EXAMPLE = ROOT / "infra" / "example.env"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROXY = SERVICES["fastproxy"]
KEY = "sk-compose"


def example(*, everything: bool = False) -> dict[str, str]:
    """What example.env sets, or would set if all of it were switched on."""
    pattern = r"^#?([A-Z]\w+)=(.*)$" if everything else r"^([A-Z]\w+)=(.*)$"
    return dict(re.findall(pattern, EXAMPLE.read_text(), re.MULTILINE))


def environment(values: dict[str, str]) -> dict[str, str]:
    """The proxy's variables: its image's, the file's, and those written in the service, which win."""
    image = next(stage for stage in read(ROOT / "Dockerfile")[1] if stage.name == "fastproxy").environment()
    own = {name: interpolated(text, values) for name, text in PROXY["environment"].items()}
    return image | values | own | {"HOME": "/nonexistent"}


def interpolated(text: str, values: dict[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        if not values.get(name) and operator == ":?":
            raise LookupError(rest)
        return values.get(name) or (rest if operator == ":-" else "")

    return re.sub(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}", value, text)


def settings(values: dict[str, str]) -> Settings:
    return load(None, environment(values))[0]


def test_it_is_what_the_specification_allows() -> None:
    checker = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))
    assert checker, "make setup installs it"
    command = [checker, "--builtin-schema", "vendor.compose-spec", FILE]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout


def compose() -> list[str]:
    """Docker Compose, as Docker's plugin or by itself; empty where there is none."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(command[0])
            and not subprocess.run([*command, "version"], capture_output=True).returncode
        ):
            return command
    return []


def test_compose_itself_reads_it_once_a_key_is_written(tmp_path: Path) -> None:
    if not compose():
        pytest.skip("no docker compose here")
    shutil.copy(FILE, tmp_path)
    shutil.copy(EXAMPLE, tmp_path / ".env")
    command = [*compose(), "--file", tmp_path / FILE.name, "--profile", "*", "config", "--quiet"]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert "write a key of your choice into infra/.env" in refused.stderr
    (tmp_path / ".env").write_text(f"PROXY_API_KEY={KEY}\n")
    read_now = subprocess.run(command, capture_output=True, text=True)
    assert read_now.returncode == 0, read_now.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), "published on loopback only"


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_and_has_a_health_check(name: str) -> None:
    service = SERVICES[name]
    image, _, tag = service["image"].rpartition(":")
    assert re.fullmatch(r"v?\d+\.\d+\.\d+(-\w+)?|dev", tag), f"{image} is not pinned"
    assert "build" in service or "healthcheck" in service  # ours have one of their own


@pytest.mark.parametrize("name", SERVICES)
def test_what_it_builds_from_and_mounts_is_there(name: str) -> None:
    service = SERVICES[name]
    if build := service.get("build"):
        folder = FILE.parent / build["context"]
        assert (folder / build.get("dockerfile", "Dockerfile")).is_file()
    named = set(COMPOSE["volumes"])
    for volume in service.get("volumes", []):
        source, target, *_ = volume.split(":")
        assert source in named or (FILE.parent / source).exists(), f"{source} for {target}"


def test_without_a_key_compose_refuses_and_says_where_to_write_one() -> None:
    assert example()["PROXY_API_KEY"] == ""
    with pytest.raises(LookupError, match=r"write a key of your choice into infra/\.env"):
        settings(example())
    assert "/infra/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_an_unset_key_would_not_open_the_proxy_either() -> None:
    with pytest.raises(ConfigError, match="needs either `key`"):
        load(None, environment(example() | {"PROXY_API_KEY": KEY}) | {"PROXY_API_KEY": ""})


def test_everything_that_the_example_offers_is_a_setting() -> None:
    offered = example(everything=True)
    chosen = settings({name: value or "a-secret" for name, value in offered.items()})
    claude = chosen.providers["claude"]
    assert claude.enabled
    assert getattr(claude, "bridge_secret").get_secret_value() == "a-secret"  # noqa: B009 - of its kind
    assert chosen.continuity.storage == chosen.limits.storage == "redis://redis:6379"
    for url in re.findall(r"=\w+://(\w+):(\d+)", EXAMPLE.read_text()):
        assert url in {("redis", "6379"), ("ollama", "11434"), ("bridge", "4001")}
        assert url[0] in SERVICES


def test_the_proxy_has_the_time_that_it_takes_to_drain() -> None:
    from fastproxy.server import DRAIN_GRACE_SECONDS

    drain = settings({"PROXY_API_KEY": KEY}).server.drain_seconds
    assert int(PROXY["stop_grace_period"].removesuffix("s")) > drain + 3 * DRAIN_GRACE_SECONDS


def test_prometheus_asks_the_proxy_where_it_is() -> None:
    port = settings({"PROXY_API_KEY": KEY}).server.port
    assert PROXY["ports"] == [f"127.0.0.1:{port}:{port}"]
    scraped = yaml.safe_load((FILE.parent / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    targets = [target for job in scraped for part in job["static_configs"] for target in part["targets"]]
    assert f"fastproxy:{port}" in targets


def test_grafana_finds_prometheus_and_its_dashboards() -> None:
    provisioning = FILE.parent / "grafana" / "provisioning"
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    [boards] = yaml.safe_load((provisioning / "dashboards" / "fastproxy.yml").read_text())["providers"]
    mounted = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert boards["options"]["path"] in mounted


def test_the_proxy_starts_with_it_and_answers_who_has_the_key() -> None:
    with (
        FastproxyProcess("", environment({"PROXY_API_KEY": KEY})) as proxy,
        httpx.Client(base_url=proxy.url, trust_env=False) as client,
    ):
        assert client.get("/v1/models").status_code == 401
        assert client.get("/v1/models", headers={"authorization": f"Bearer {KEY}"}).status_code == 200
        assert client.get("/metrics").status_code == 200
