"""The API's description: true to the routes, current in docs/api, and shown without the internet."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import httpx
import openai
import orjson
import pytest
from jsonschema import Draft202012Validator

from fastproxy.api.openapi.document import ALIASES, METHODS, make_document, openapi_path
from testkit.contract import FOLDER, files, registered_routes
from testkit.process import ROOT
from testkit.proxy import FastproxyProcess

DOCUMENT = make_document(registered_routes())
STALE = "is not as the code says: run `make docs` and commit docs/api"


def schema_of(name: str) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    )


def test_every_registered_route_is_described_and_no_other() -> None:
    described = {
        (method.upper(), written)
        for path, item in DOCUMENT["paths"].items()
        for written in (path, *item.get(ALIASES, ()))
        for method in item
        if method in METHODS
    }
    assert described == {(method, openapi_path(path)) for method, path in registered_routes()}


@pytest.mark.parametrize("name", ["openapi.json", "fastproxy.d.ts"])
def test_the_exported_file_is_current(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == files()[name], f"docs/api/{name} {STALE}"


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    used = re.findall(r"#/components/schemas/(\w+)", orjson.dumps(DOCUMENT).decode())
    assert set(used) == set(DOCUMENT["components"]["schemas"])


def test_the_typescript_contract_compiles(tmp_path: Path) -> None:
    compiler = ROOT / "bridge/node_modules/.bin/tsc"
    if not compiler.exists() or shutil.which("node") is None:
        pytest.skip("needs node and the bridge's packages (npm ci in bridge/)")
    shutil.copy(FOLDER / "fastproxy.d.ts", tmp_path)
    (tmp_path / "use.ts").write_text(
        'import type { ChatCompletionRequest } from "./fastproxy";\n'
        "export const good: ChatCompletionRequest = "
        '{ model: "m", messages: [{ role: "user", content: "hi" }], stream: true };\n'
        "// @ts-expect-error a message needs a role\n"
        'export const bad: ChatCompletionRequest = { model: "m", messages: [{ content: "hi" }] };\n'
    )
    arguments = ["--noEmit", "--strict", "--target", "es2022", "--moduleResolution", "bundler"]
    arguments += ["--module", "es2022", str(tmp_path / "use.ts")]
    done = subprocess.run([compiler, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout


def test_the_proxy_serves_the_document_without_a_key(proxy: FastproxyProcess) -> None:
    answer = httpx.get(f"{proxy.url}/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT


def test_the_page_loads_nothing_from_anywhere(proxy: FastproxyProcess) -> None:
    answer = httpx.get(f"{proxy.url}/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    links = re.findall(r"""(?:src|href|action)\s*=\s*["']?([^"'\s>]+)""", answer.text)
    assert {link for link in links if not link.startswith("#")} == {"openapi.json"}
    assert not re.search(r"<(script|link|iframe|img)|@import|url\(|https?://", answer.text)
    for path in DOCUMENT["paths"]:
        assert f"<code>{path}</code>" in answer.text


@pytest.mark.parametrize("path", ["/v1/models", "/health", "/health/live", "/health/ready"])
def test_what_is_answered_is_what_is_described(proxy: FastproxyProcess, path: str) -> None:
    answer = httpx.get(proxy.url + path, headers={"authorization": "Bearer sk-test-key"})
    content = DOCUMENT["paths"][path]["get"]["responses"][str(answer.status_code)]["content"]
    schema_of(content["application/json"]["schema"]["$ref"].rpartition("/")[2]).validate(answer.json())


@pytest.mark.parametrize("model", ["demo-echo", "demo-tools", "demo-error-429", "demo-error-503"])
def test_answers_of_a_chat_are_as_described(client: openai.OpenAI, model: str) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "tools": tools}
    schema_of("ChatCompletionRequest").validate(body)
    answer = client._client.post(
        f"{client.base_url}chat/completions", json=body, headers={"authorization": f"Bearer {client.api_key}"}
    )
    schema_of("ChatCompletion" if answer.status_code == 200 else "Error").validate(answer.json())


@pytest.mark.parametrize("model", ["demo-echo", "demo-tools"])
def test_events_of_a_stream_are_as_described(client: openai.OpenAI, model: str) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    with client.chat.completions.with_streaming_response.create(
        model=model, messages=[{"role": "user", "content": "hi"}], stream=True, tools=tools
    ) as answer:
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    assert lines.pop() == "data: [DONE]"
    for line in lines:
        schema_of("ChatCompletionChunk").validate(orjson.loads(line.removeprefix("data: ")))
