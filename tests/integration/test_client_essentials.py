"""What no client can do without, whatever it sends and however it behaves; the provider may be any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from testkit.claude import until
from testkit.mock import SSE_HEADERS, MockUpstream
from tests.integration.conftest import KEY, sdk
from tests.integration.every_provider import ASKED, PROVIDERS, ProxyOf, proxies
from tests.integration.test_client_bodies import BODIES, WITH_TOOLS, post
from tests.integration.test_long_tool_loops import DEEPSEEK, GEMINI, Loop, mark
from tests.sdk import USER, WEATHER, ask, result
from tests.unit.wire.gemini.test_schema import ALLOWED

pytestmark = pytest.mark.slow
Json = dict[str, Any]

UNKNOWN: Json = {
    "foo": 1,
    "include": ["reasoning.encrypted_content"],
    "modalities": ["text"],
    "prediction": {"type": "content", "content": "x"},
    "prompt_cache_key": "thread",
    "prompt_cache_retention": "24h",
    "safety_identifier": "somebody",
    "store": True,
    "verbosity": "low",
}


@pytest.fixture(scope="module")
def proxy_of(mock_process: MockUpstream) -> Iterator[ProxyOf]:
    with proxies(mock_process.url) as made:
        yield made


@pytest.fixture
def http(proxy_of: ProxyOf) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=proxy_of("demo").url, headers=headers, trust_env=False, timeout=20) as made:
        yield made


@pytest.fixture
def client(proxy_of: ProxyOf, mock: MockUpstream) -> Iterator[openai.OpenAI]:
    with sdk(proxy_of("deepseek")) as made:
        yield made


@pytest.mark.parametrize(
    "path",
    ["/chat/completions", "/v1/chat/completions/", "/v1/v1/chat/completions", "/cursor/v1/chat/completions"],
)
def test_routes_are_tolerant_without_redirects(http: httpx.Client, path: str) -> None:
    answer = http.post(path, json={"model": "demo-echo", "messages": USER})
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "hello"


def test_an_unknown_path_is_told_in_openais_envelope(http: httpx.Client) -> None:
    answer = http.get("/v1/nope")
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "/v1/nope" in error["message"]


def test_every_listed_model_has_the_required_keys_and_is_found_by_its_escaped_name(
    http: httpx.Client,
) -> None:
    def listed() -> list[Json]:
        models: list[Json] = http.get("/v1/models").json()["data"]
        return models

    until(lambda: any(":" in model["id"] for model in listed()))  # Ollama's are found after the start
    assert all({"id", "object", "created", "owned_by"} <= set(model) for model in listed())
    name = next(model["id"] for model in listed() if ":" in model["id"])
    found = http.get(f"/v1/models/{name.replace(':', '%3A')}")
    assert (found.status_code, found.json()["id"]) == (200, name)


@pytest.mark.parametrize("name", ASKED)
def test_unknown_fields_never_fail_and_never_reach_the_provider(
    proxy_of: ProxyOf, mock: MockUpstream, name: str
) -> None:
    provider = PROVIDERS[name]
    answer = httpx.post(
        f"{proxy_of(name).url}/v1/chat/completions",
        json={"model": provider.model, "messages": USER, "stream": True, **UNKNOWN},
        headers={"authorization": f"Bearer {KEY}"},
        trust_env=False,
        timeout=20,
    )
    assert answer.status_code == 200, answer.text
    [sent] = provider.sent(mock)
    assert not set(UNKNOWN) & set(sent.json())


@pytest.mark.parametrize("client_name", WITH_TOOLS)
def test_every_clients_tools_are_schemas_that_gemini_takes(
    proxy_of: ProxyOf, mock: MockUpstream, client_name: str
) -> None:
    provider = PROVIDERS["vertex"]
    assert post(proxy_of("vertex").url, client_name, provider.model).status_code == 200
    [sent] = provider.sent(mock)
    declared = [tool for group in sent.json()["tools"] for tool in group["functionDeclarations"]]
    offered = [tool for tool in BODIES[client_name]["tools"] if not tool.get("type", "").startswith("bash_")]
    assert len(declared) == len(offered)
    for function in declared:
        assert set(function) <= {"name", "description", "parametersJsonSchema"}
        schemas = list(nodes(function.get("parametersJsonSchema", {})))
        assert {key for schema in schemas for key in schema} <= ALLOWED
        assert all(set(s.get("required", ())) <= set(s.get("properties", ())) for s in schemas)


def nodes(schema: Json) -> Iterator[Json]:
    """A schema and all within it; the names of properties are no keywords."""
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    inner += [*schema.get("anyOf", ()), schema.get("items"), schema.get("additionalProperties")]
    for item in inner:
        if isinstance(item, dict):
            yield from nodes(item)


@pytest.mark.parametrize(("loop", "pieces"), [(GEMINI, 1), (DEEPSEEK, 2)], ids=["gemini", "deepseek"])
def test_what_a_provider_wants_back_is_kept_of_an_answer_that_the_client_left(
    client: openai.OpenAI, mock: MockUpstream, loop: Loop, pieces: int
) -> None:
    said = loop.reply(1)["chunks"][:pieces]
    mock.script({"chunks": said, "end": "stall", "headers": SSE_HEADERS}, path=loop.path)
    create: Any = client.chat.completions.create
    with create(model=loop.model, messages=USER, tools=[WEATHER], stream=True) as stream:
        deltas = (part.choices[0].delta for part in stream)
        made = next(delta.tool_calls[0] for delta in deltas if delta.tool_calls)
    mock.wait("aborted")
    mock.reset()
    function = {"name": "get_weather", "arguments": '{"city":"City 1"}'}
    call = {"id": made.id, "type": "function", "function": function}
    history = [*USER, {"role": "assistant", "content": None, "tool_calls": [call]}, result(made.id, "sunny")]
    ask(client, loop.model, history, stream=True, tools=[WEATHER])
    assert loop.wanted_back(loop.sent(mock).json()) == [mark(1)]


def test_thoughts_that_are_lost_cost_deepseek_its_thinking_and_not_the_request(
    client: openai.OpenAI, mock: MockUpstream
) -> None:
    told = "The `reasoning_content` in the thinking mode must be passed back to the API."
    refusal = {"status": 400, "json": {"error": {"message": told, "type": "invalid_request_error"}}}
    said = {"role": "assistant", "content": "Sunny."}
    whole = {"id": "up", "object": "chat.completion", "created": 1, "model": "deepseek"}
    choices = [{"index": 0, "message": said, "finish_reason": "stop"}]
    mock.script(refusal, {"json": {**whole, "choices": choices}}, path=DEEPSEEK.path)
    call = {"id": "call_lost", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    history = [
        *USER,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        result("call_lost", "sun"),
    ]
    answer = ask(client, "deepseek-reasoner", history, stream=False, tools=[WEATHER])
    assert answer.choices[0].message.content == "Sunny."
    first, second = [request.json() for request in mock.requests() if DEEPSEEK.path in request.path]
    assert first.get("thinking") != {"type": "disabled"}
    assert second["thinking"] == {"type": "disabled"}
    assert "reasoning_content" not in str(second["messages"])
