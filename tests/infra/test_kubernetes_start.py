"""The proxy, started with the settings, the Secret and the variables of each overlay."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import orjson
import pytest

from fastproxy.server import DRAIN_GRACE_SECONDS
from testkit.proxy import FastproxyProcess
from testkit.redis_server import BINARY, RedisServer
from tests.infra.manifests import OVERLAYS, Pod, configuration, example_secret, kubectl, pod

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(kubectl() is None, reason="no kubectl: kustomize is part of it"),
]
SIZES = {"Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True)
class Running:
    """A proxy as the kubelet would start it, and its pod."""

    proxy: FastproxyProcess
    ours: Pod

    def get(self, path: str, key: str = "") -> int:
        """The status of an answer."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx.get(f"{self.proxy.url}{path}", headers=headers, trust_env=False).status_code


def start(stack: ExitStack, overlay: str, more: Mapping[str, str] | None = None) -> Running:
    """Started on a free port; where the overlay has a Redis, with a real one in its place."""
    text, environment = configuration(overlay)
    storages = [name for name, value in environment.items() if value.startswith("redis://fastproxy-redis:")]
    if storages:
        if BINARY is None:
            pytest.skip("no redis-server here")
        redis = stack.enter_context(RedisServer())
        environment |= dict.fromkeys(storages, redis.url)
    environment |= more or {}
    return Running(stack.enter_context(FastproxyProcess(text, environment)), pod(overlay))


@pytest.fixture(scope="module", params=OVERLAYS)
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    with ExitStack() as stack:
        yield start(stack, request.param)


def test_its_probes_succeed_without_a_key(running: Running) -> None:
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert running.get(running.ours.proxy[probe]["httpGet"]["path"]) == 200


def test_prometheus_reads_its_metrics_without_a_key(running: Running) -> None:
    assert running.get(running.ours.template["metadata"]["annotations"]["prometheus.io/path"]) == 200


def test_who_has_the_key_of_the_secret_is_answered_and_nobody_else(running: Running) -> None:
    assert running.get("/v1/models") == 401
    assert running.get("/v1/models", example_secret()["api-key"]) == 200


def test_the_keys_of_the_secret_switch_their_providers_on(running: Running) -> None:
    providers = httpx.get(f"{running.proxy.url}/health", trust_env=False).json()["providers"]
    for name in ("deepseek", "anthropic"):
        assert providers[name]["state"] != "off"
    assert providers["ollama"]["state"] == "off"


def test_what_it_takes_when_idle_is_less_than_what_it_requests(running: Running) -> None:
    resources = running.ours.proxy["resources"]
    assert running.proxy.rss_bytes() < amount(resources["requests"]["memory"])
    assert 2 * amount(resources["requests"]["memory"]) <= amount(resources["limits"]["memory"])


def amount(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()  # type: ignore[union-attr]
    return int(number) * SIZES[unit]


def test_the_example_application_gets_its_answer() -> None:
    with ExitStack() as stack:
        running = start(stack, "sidecar")
        [application] = running.ours.spec["containers"]
        [script] = application["args"]
        [body] = re.findall(r"-d '(.*?)'", script)
        [path] = re.findall(r"\$OPENAI_BASE_URL(/[\w/]+)", script)
        url = f"{running.proxy.url}/v1{path}"
        headers = {"authorization": f"Bearer {example_secret()['api-key']}"}
        answer = httpx.post(url, json=orjson.loads(body), headers=headers, trust_env=False)
    assert answer.status_code == 200


@pytest.mark.parametrize("overlay", ["sidecar", "standalone-workers"])
def test_sigterm_ends_it_within_the_time_that_the_manifest_reckons_with(overlay: str) -> None:
    drain = 1.0  # for the 30 s of the manifest, which this is not to wait for
    with ExitStack() as stack:
        proxy = start(stack, overlay, {"FASTPROXY_SERVER__DRAIN_SECONDS": str(drain)}).proxy
        message = {"role": "user", "content": "hello"}
        body = {"model": "demo-slow", "stream": True, "messages": [message]}  # a word a second
        headers = {"authorization": f"Bearer {example_secret()['api-key']}"}
        url = f"{proxy.url}/v1/chat/completions"
        with httpx.stream("POST", url, json=body, headers=headers, trust_env=False) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("data:")
            began = time.monotonic()
            proxy.process.send_signal(signal.SIGTERM)
            assert '"code":"draining"' in "".join(lines)
        assert proxy.process.wait(20) == 0
        assert time.monotonic() - began < drain + 3 * DRAIN_GRACE_SECONDS
