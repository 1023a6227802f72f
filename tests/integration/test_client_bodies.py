"""What real clients send, to every provider: answered as a chat, and tool loops reach the provider whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from testkit.mock import MockUpstream
from tests.integration.conftest import KEY
from tests.integration.every_provider import ASKED, PROVIDERS, Exchange, Provider, ProxyOf, proxies

pytestmark = pytest.mark.slow
Json = dict[str, Any]

CLIENTS = Path(__file__).parents[1] / "golden" / "clients"
BODIES: dict[str, Json] = {
    path.stem: orjson.loads(path.read_bytes())
    for path in sorted(CLIENTS.glob("*.json"))
    if not path.stem.startswith("codex_")
}
"""Those that go to /v1/chat/completions; what Codex sends is tested with the Responses format."""
COUNTED = {
    name
    for name, body in BODIES.items()
    if name.startswith("cursor") or (body.get("stream_options") or {}).get("include_usage")
}
"""Whose streams end with the usage: those that ask for it, and Cursor's."""
WITH_TOOLS = [name for name, body in BODIES.items() if body.get("tools")]
PATCH = "*** Begin Patch\n*** Update File: README.md\n+x\n*** End Patch"
MAIN_PATCH = PATCH.replace("README.md", "main.py")
FOUND = (
    '<workspace_result workspace_path="/w">\nFound 1 matches across 1 file\nREADME.md:1\n</workspace_result>'
)
LOOPS = {
    "cline_second_turn": [Exchange("read_file", {"path": "a.py"}, "print(1)")],
    "cursor_agent_after_tools": [
        Exchange("Grep", {"pattern": "TODO"}, FOUND),
        Exchange("Read", {"path": "README.md"}, "1|# TODO"),
    ],
    "cursor_anthropic_shape": [Exchange("LS", {"path": "."}, "a.py\nb.py")],
    "cursor_mixed_tools_second_turn": [
        Exchange("Read", {"path": "main.py"}, "print(1)"),
        Exchange("ApplyPatch", {"input": MAIN_PATCH}, "Done"),
    ],
    "cursor_responses_later_turn": [
        Exchange("rg", {"pattern": "TODO"}, "README.md:1"),
        Exchange("ApplyPatch", {"input": PATCH}, "Done"),
    ],
    "opencode_second_turn": [Exchange("bash", {"command": "ls"}, "a.py")],
}
"""The bodies with a history of tool calls -> what every provider must be told of it."""

PICTURE = ("vscode_copilot", "deepseek")
"""The one that cannot be answered: DeepSeek reads no pictures."""


def to_every_provider(clients: Iterable[str]) -> pytest.MarkDecorator:
    """Each of these bodies to each provider."""
    cases = [case for case in product(clients, PROVIDERS) if case != PICTURE]
    return pytest.mark.parametrize(("client", "name"), cases)


@pytest.fixture(scope="module")
def proxy_of(mock_process: MockUpstream) -> Iterator[ProxyOf]:
    with proxies(mock_process.url) as made:
        yield made


@pytest.fixture
def url(name: str, proxy_of: ProxyOf, mock: MockUpstream) -> str:
    """Where this provider is asked."""
    return proxy_of(name).url


def post(url: str, client: str, model: str) -> httpx.Response:
    """The answer to a client's body, asked of another model."""
    path = f"/openai/deployments/{model}" if client == "cursor_azure" else "/v1"
    body = {**BODIES[client], "model": model}
    agent = "Cursor/1.0" if client.startswith("cursor") else "test"
    headers = {"authorization": f"Bearer {KEY}", "user-agent": agent}
    return httpx.post(
        f"{url}{path}/chat/completions", json=body, headers=headers, trust_env=False, timeout=20
    )


def said(response: httpx.Response, client: str, model: str) -> Json:
    """The message, with its `finish_reason`; an AssertionError unless it came in the chat format."""
    assert response.status_code == 200, response.text
    if not BODIES[client].get("stream"):
        whole: Json = response.json()
        assert (whole["object"], whole["model"]) == ("chat.completion", model)
        assert whole["usage"]["total_tokens"] >= 1
        [choice] = whole["choices"]
        return {**choice["message"], "finish_reason": choice["finish_reason"]}
    assert response.headers["content-type"].startswith("text/event-stream")
    events = [line for line in response.text.split("\n\n") if line]
    assert all(event.startswith("data: ") for event in events)
    assert events[-1] == "data: [DONE]"
    return joined([orjson.loads(event[6:]) for event in events[:-1]], client, model)


def joined(chunks: list[Json], client: str, model: str) -> Json:
    """What a client's parts add up to."""
    assert {(c["object"], c["model"]) for c in chunks} == {("chat.completion.chunk", model)}
    assert len({c["id"] for c in chunks}) == 1
    if client in COUNTED:
        assert chunks[-1]["choices"] == []
        assert chunks.pop()["usage"]["total_tokens"] >= 1
    assert all(len(c["choices"]) == 1 and not c.get("usage") for c in chunks)
    choices = [c["choices"][0] for c in chunks]
    assert choices[0]["delta"]["role"] == "assistant"
    [finish] = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    calls: list[Json] = []
    for delta in (part for choice in choices for part in choice["delta"].get("tool_calls") or ()):
        if delta["index"] == len(calls):
            assert delta["type"] == "function"
            calls.append(
                {"id": delta["id"], "function": {"name": delta["function"]["name"], "arguments": ""}}
            )
        calls[delta["index"]]["function"]["arguments"] += delta["function"].get("arguments") or ""
    content = "".join(choice["delta"].get("content") or "" for choice in choices)
    return {"content": content or None, "tool_calls": calls, "finish_reason": finish}


@to_every_provider(BODIES)
def test_a_text_is_answered_in_the_chat_format(url: str, name: str, client: str, mock: MockUpstream) -> None:
    provider = PROVIDERS[name]
    message = said(post(url, client, provider.model), client, provider.model)
    assert message["content"] == "Hello from the mock." or name == "demo"
    assert message["finish_reason"] == "stop"
    assert not message.get("tool_calls")
    assert len(provider.sent(mock)) == bool(provider.path)


@to_every_provider(WITH_TOOLS)
def test_tools_are_called_in_the_chat_format(url: str, name: str, client: str, mock: MockUpstream) -> None:
    provider = PROVIDERS[name]
    tool = name_of(BODIES[client]["tools"][0])
    streamed = bool(BODIES[client].get("stream"))
    provider.answer_with(mock, provider.calls([tool, tool], {"input": PATCH}, streamed))
    model = provider.tools_model or provider.model
    message = said(post(url, client, model), client, model)
    if name == "demo" and BODIES[client].get("messages", [{}])[-1].get("role") == "tool":
        assert message["content"].startswith("The tool answered: ")
        return
    assert message["finish_reason"] == "tool_calls"
    calls = message["tool_calls"]
    assert [call["function"]["name"] for call in calls] == [tool] * (1 if name == "demo" else 2)
    assert len({call["id"] for call in calls}) == len(calls)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", call["id"]) for call in calls)
    is_custom = BODIES[client]["tools"][0].get("type") == "custom"
    if name != "demo":
        expected = PATCH if is_custom else {"input": PATCH}
        given = [call["function"]["arguments"] for call in calls]
        assert [text if is_custom else orjson.loads(text) for text in given] == [expected] * 2


@pytest.mark.parametrize(("client", "name"), [PICTURE])
def test_a_picture_for_a_model_that_reads_none_is_refused_by_name(
    url: str, name: str, client: str, mock: MockUpstream
) -> None:
    refused = post(url, client, PROVIDERS[name].model)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "messages[1].content[1]"
    assert "DeepSeek reads text only" in refused.json()["error"]["message"]
    assert not PROVIDERS[name].sent(mock)


def name_of(tool: Json) -> str:
    function: Json = tool.get("function", tool)
    return str(function["name"])


def test_every_history_of_tool_calls_is_in_the_table() -> None:
    marks = (b'"tool_calls": [', b'"tool_use"', b'"function_call"')
    with_calls = {name for name in BODIES if any(m in (CLIENTS / f"{name}.json").read_bytes() for m in marks)}
    assert with_calls == set(LOOPS)


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("client", LOOPS)
def test_a_later_turn_reaches_the_provider_with_its_calls_and_results_paired(
    url: str, name: str, client: str, mock: MockUpstream
) -> None:
    provider: Provider = PROVIDERS[name]
    post(url, client, provider.model)
    [request] = provider.sent(mock)
    assert provider.exchanges(request.json()) == LOOPS[client]
