"""The images, run as the documentation says: as nobody in particular, on a read-only root file system.

`make image-test` builds them and runs this; `make test` leaves it out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from testkit.containers import Container, Image, engine
from testkit.mock import SSE_HEADERS, MockUpstream
from testkit.process import ROOT, free_port

BUILT = "FASTPROXY_TEST_IMAGES" in os.environ  # noqa: TID251 - the tests' own switch
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BUILT, reason="make image-test runs these"),
]
KEY = "sk-image-test"
KEYS = f'[{{"name": "test", "key": "{KEY}"}}]'
SECRET = "the-bridge's-secret"
ALLOWED = {"authorization": f"Bearer {KEY}"}
MOST_MEGABYTES = 350
"""The proxy's image with its base; about half of it is the base."""


@pytest.fixture(scope="module")
def proxy() -> Image:
    return Image(_engine(), "localhost/fastproxy:dev")


@pytest.fixture(scope="module")
def bridge() -> Image:
    return Image(_engine(), "localhost/fastproxy-bridge:dev")


def _engine() -> list[str]:
    found = engine()
    if not found:
        pytest.skip("neither Docker nor Podman runs here")
    return found


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def served(proxy: Image, port: int) -> Iterator[Container]:
    with proxy.running({"FASTPROXY_SERVER__PORT": str(port), "FASTPROXY_AUTH__KEYS": KEYS}) as container:
        ready(port, container)
        yield container


def ready(port: int, container: Container, path: str = "/health/ready") -> None:
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        try:
            if httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.01)
    raise AssertionError(container.logs())


def chat(port: int, model: str = "demo-echo", **body: Any) -> httpx.Response:
    message = {"role": "user", "content": "hello from a container"}
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    body = {"model": model, "messages": [message], **body}
    return httpx.post(url, json=body, headers=ALLOWED, trust_env=False, timeout=30)


def size(image: Image) -> tuple[float, list[str]]:
    """Megabytes in all, and the layers of ours with theirs."""
    history = image.call("history", "--format={{.Size}}\t{{.CreatedBy}}", image.name).stdout.splitlines()
    return image.inspect()["Size"] / 1e6, [line[:100] for line in history if not line.startswith("0 ")]


def check(image: Image) -> list[str]:
    """The command of its health check."""
    told = image.inspect()
    kind, *command = (told.get("Healthcheck") or told["Config"]["Healthcheck"])["Test"]
    assert kind == "CMD", "a health check without a shell"
    return command


def test_it_answers_and_ends_in_order(served: Container, port: int) -> None:
    print(f"\nfrom `run` to ready: {time.monotonic() - served.began:.2f} s")
    answer = chat(port)
    assert answer.json()["choices"][0]["message"]["content"] == "hello from a container"
    assert (
        httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json={}, trust_env=False).status_code
        == 401
    )
    assert served.call(*check(served.image)).stdout == "ready\n"
    began = time.monotonic()
    assert served.stop(20) == 0
    print(f"from `stop` to its end: {time.monotonic() - began:.2f} s")


def test_it_is_nobody_and_can_write_nothing_but_its_temporary_folder(served: Container) -> None:
    status = served.call("cat", "/proc/1/status").stdout
    told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    print(f"\nresident memory when idle: {int(told['VmRSS'].split()[0]) / 1024:.0f} MiB")
    assert told["Uid"].split() == ["10001"] * 4
    assert int(told["CapEff"], 16) == 0
    for place in ("/etc/fastproxy/x", "/opt/fastproxy/x", "/home/fastproxy/x"):
        assert "Read-only file system" in served.call("touch", place).stderr
    assert served.call("touch", "/tmp/x").returncode == 0


def test_a_stream_that_runs_when_it_is_told_to_end_becomes_whole(served: Container, port: int) -> None:
    message = {"role": "user", "content": "hello"}
    body = {"model": "demo-slow", "stream": True, "messages": [message]}  # a word a second
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, headers=ALLOWED, trust_env=False, timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("data:")
        assert served.stop(20) == 0
        assert "data: [DONE]" in list(lines)


def test_without_keys_it_does_not_start_and_says_what_to_do(proxy: Image) -> None:
    told = proxy.run()
    assert told.returncode == 1
    assert "auth.keys is empty: add a key" in told.stderr


def test_without_a_temporary_folder_it_does_not_start_and_says_what_to_do(proxy: Image) -> None:
    told = proxy.run((), {"FASTPROXY_AUTH__KEYS": KEYS}, *_without_one(proxy))
    assert told.returncode == 1
    assert "docker run --tmpfs /tmp" in told.stderr


def _without_one(image: Image) -> list[str]:
    return ["--read-only-tmpfs=false"] if "podman" in image.engine else []  # which else gives one by itself


def test_two_workers_share_their_metrics_and_a_store(proxy: Image, port: int) -> None:
    environment = {
        "FASTPROXY_SERVER__PORT": str(port),
        "FASTPROXY_SERVER__WORKERS": "2",
        "FASTPROXY_CONTINUITY__STORAGE": "sqlite:////tmp/continuity.db",
        "FASTPROXY_AUTH__KEYS": KEYS,
        "FASTPROXY_SERVER__METRICS_OPEN": "true",
    }
    with proxy.running(environment) as container:
        ready(port, container)
        for _ in range(10):
            assert chat(port).status_code == 200
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        assert "fastproxy_" in metrics
        assert container.stop(20) == 0


def test_a_configuration_file_and_secrets_are_mounted(proxy: Image, port: int, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    (tmp_path / "fastproxy.toml").write_text(
        f'[server]\nport = {port}\n[auth]\nkeys = [{{ name = "app", key = "file:/run/secrets/key" }}]\n'
    )
    mounts = (("fastproxy.toml", "/etc/fastproxy/fastproxy.toml"), ("key", "/run/secrets/key"))
    tmp_path.chmod(0o755)
    with proxy.running(
        {}, *(f"--volume={tmp_path / name}:{place}:ro" for name, place in mounts)
    ) as container:
        ready(port, container)
        assert chat(port).status_code == 200
        assert container.call("fastproxy", "health").returncode == 0


def test_the_proxys_image_holds_no_builder_and_is_small(proxy: Image) -> None:
    tools = ("npm", "node", "gcc", "cc", "make", "git")
    script = f"import shutil; print([tool for tool in {tools!r} if shutil.which(tool)])"
    told = proxy.run(["-c", script], None, "--entrypoint=python3")
    assert told.stdout.strip() == "[]", told.stderr
    megabytes, layers = size(proxy)
    print(f"\n{proxy.name}: {megabytes:.0f} MB", *layers, sep="\n  ")
    assert megabytes < MOST_MEGABYTES


def test_the_images_tell_what_they_are(proxy: Image, bridge: Image) -> None:
    for image in (proxy, bridge):
        told = image.inspect()
        assert told["Config"]["User"] == "10001:10001"
        assert told["Config"]["Labels"]["org.opencontainers.image.licenses"] == "MIT"
        assert told["Config"]["StopSignal"] in ("SIGTERM", "15")
        assert check(image)


def test_the_bridge_says_that_it_lacks_the_cli(bridge: Image, port: int) -> None:
    environment = {"FASTPROXY_BRIDGE_PORT": str(port), "FASTPROXY_BRIDGE_SECRET": SECRET}
    with bridge.running(environment) as container:
        limit = time.monotonic() + 20
        while "cli_unavailable" not in container.logs() and time.monotonic() < limit:
            time.sleep(0.1)
        told = httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
        assert told.status_code == 503
        assert container.call(*check(bridge)).returncode == 1
        assert container.stop(20) == 0
    print(f"\n{bridge.name}: {size(bridge)[0]:.0f} MB")


def test_a_question_goes_through_both_containers(
    proxy: Image, bridge: Image, port: int, mock_process: MockUpstream, mock: MockUpstream
) -> None:
    chunks = [f"event: {event}\ndata: {data}\n\n" for event, data in ANSWER]
    mock.script({"chunks": chunks, "headers": SSE_HEADERS}, path="/messages")
    bridge_port = free_port()
    own = {
        "FASTPROXY_BRIDGE_PORT": str(bridge_port),
        "FASTPROXY_BRIDGE_SECRET": SECRET,
        "FASTPROXY_BRIDGE_CLAUDE_BIN": "/cli/fake-claude.mjs",
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "ANTHROPIC_BASE_URL": mock_process.url,
    }
    with bridge.running(own, f"--volume={ROOT / 'bridge' / 'test'}:/cli:ro") as behind:
        ready(bridge_port, behind, "/health")
        assert behind.call(*check(bridge)).returncode == 0
        settings = {
            "FASTPROXY_SERVER__PORT": str(port),
            "FASTPROXY_AUTH__KEYS": KEYS,
            "FASTPROXY_PROVIDERS__CLAUDE__BRIDGE_URL": f"http://127.0.0.1:{bridge_port}",
            "FASTPROXY_PROVIDERS__CLAUDE__BRIDGE_SECRET": SECRET,
        }
        with proxy.running(settings) as before:
            ready(port, before)
            answer = chat(port, "claude-sonnet")
            assert answer.status_code == 200, answer.text
            assert answer.json()["choices"][0]["message"]["content"] == "from afar"
        assert behind.stop(20) == 0


ANSWER = (
    (
        "message_start",
        '{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m",'
        '"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}}',
    ),
    (
        "content_block_start",
        '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
    ),
    (
        "content_block_delta",
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"from afar"}}',
    ),
    ("content_block_stop", '{"type":"content_block_stop","index":0}'),
    (
        "message_delta",
        '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        '"usage":{"output_tokens":2}}',
    ),
    ("message_stop", '{"type":"message_stop"}'),
)
