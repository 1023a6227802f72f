"""Cursor at a running proxy: its faults, its usage, and its Azure panel."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import orjson
import pytest

from testkit.process import clean_environment, free_port, program_of
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY

CHAT = "/v1/chat/completions"
CURSOR = {"user-agent": "Cursor/1.0"}
MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.fixture
def http(proxy: FastproxyProcess) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=proxy.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False
    ) as made:
        yield made


def body(model: str = "demo-echo", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": MESSAGES, **more}


@pytest.mark.parametrize(
    ("status", "code", "stream"),
    [
        (429, "upstream_rate_limited", False),
        (429, "upstream_rate_limited", True),
        (503, "upstream_busy", False),
    ],
)
def test_cursor_is_told_the_true_text_and_others_the_true_status(
    http: httpx.Client, status: int, code: str, stream: bool
) -> None:
    asked = body(f"demo-error-{status}", stream=stream)
    told = http.post(CHAT, json=asked, headers=CURSOR)
    error = told.json()["error"]
    assert (told.status_code, error["type"], error["code"]) == (400, "invalid_request_error", code)
    assert error["message"].startswith(f"[demo {status}] ")
    assert "overloaded" not in told.text.lower()
    assert http.post(CHAT, json=asked).status_code == status


def test_a_wrong_key_is_a_401_for_cursor_too(http: httpx.Client) -> None:
    answer = http.post(CHAT, json=body(), headers={**CURSOR, "authorization": "Bearer wrong"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


def test_an_unknown_model_is_a_400_for_cursor(http: httpx.Client) -> None:
    answer = http.post(CHAT, json=body("nobodys"), headers=CURSOR)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "model_not_found")


def test_cursor_gets_the_usage_of_every_stream(http: httpx.Client) -> None:
    def usages(headers: dict[str, str]) -> list[Any]:
        answer = http.post(CHAT, json=body(stream=True), headers=headers)
        lines = [line for line in answer.text.splitlines() if line.startswith("data: {")]
        return [chunk["usage"] for line in lines if (chunk := orjson.loads(line[6:])).get("usage")]

    assert len(usages(CURSOR)) == 1
    assert usages({}) == []


@pytest.mark.parametrize("base", ["", "/v1"])
@pytest.mark.parametrize("model", ["demo-echo", "demo/demo-echo"])
def test_the_azure_route_takes_the_model_from_its_path(http: httpx.Client, base: str, model: str) -> None:
    answer = http.post(
        f"{base}/openai/deployments/{model}/chat/completions?api-version=2024-10-21",
        json={"model": "ignored", "messages": MESSAGES},
        headers={"api-key": KEY, "authorization": ""},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == model


def test_the_azure_route_streams_and_refuses_like_the_other(http: httpx.Client) -> None:
    place = "/openai/deployments/{}/chat/completions"
    streamed = http.post(place.format("demo-echo"), json={"messages": MESSAGES, "stream": True})
    assert streamed.text.endswith("data: [DONE]\n\n")
    assert http.post(place.format("nobodys"), json={"messages": MESSAGES}).status_code == 404
    assert http.post(place.format("demo-echo"), json={}).json()["error"]["param"] == "messages"


def test_the_azure_sdk_finds_its_way(proxy: FastproxyProcess) -> None:
    with openai.AzureOpenAI(azure_endpoint=proxy.url, api_key=KEY, api_version="2024-10-21") as client:
        answer = client.chat.completions.create(
            model="demo-echo", messages=[{"role": "user", "content": "hello"}]
        )
    assert answer.choices[0].message.content


def check(folder: Path, url: str, key: str = KEY) -> tuple[int, str]:
    """`fastproxy check --cursor --url URL`: its exit code, and what it says on one line."""
    config = folder / "fastproxy.toml"
    config.write_text(f'[auth]\nkeys = [{{ name = "tests", key = "{key}" }}]\n', "utf-8")
    command = [*program_of("fastproxy"), "check", "--config", str(config), "--cursor", "--url", url]
    environment = clean_environment({"HOME": str(folder), "PATH": "/nowhere"})
    made = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=45)
    assert key not in made.stdout + made.stderr
    return made.returncode, " ".join(made.stdout.split())


@pytest.mark.slow
def test_the_check_asks_the_proxy_through_the_address(proxy: FastproxyProcess, tmp_path: Path) -> None:
    code, text = check(tmp_path, f"{proxy.url}/v1")
    assert "tunnel ok it leads to us" in text
    assert "stream ok" in text
    assert "demo-echo" in text
    assert (code, "does not begin with https://" in text) == (1, True)


@pytest.mark.slow
def test_the_check_knows_a_proxy_with_other_keys_and_an_address_where_nobody_is(
    proxy: FastproxyProcess, tmp_path: Path
) -> None:
    code, text = check(tmp_path, f"{proxy.url}/v1", key="sk-unknown-there")
    assert (code, "answers 401 to the first key" in text) == (1, True)
    code, text = check(tmp_path, f"http://127.0.0.1:{free_port()}/v1")
    assert (code, "nothing listens" in text) == (1, True)
    assert "`fastproxy serve` and the tunnel running" in text
