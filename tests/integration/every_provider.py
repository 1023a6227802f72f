"""Every provider at the mock in one shape: its model, how it calls tools, and what it was told of calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import orjson
import pytest

from testkit.claude import ClaudeProxy, fake_cli
from testkit.mock import SSE_HEADERS, MockUpstream, Recorded
from testkit.proxy import FastproxyProcess
from testkit.vertex import credentials, vertex_table
from tests.integration import anthropic_upstream, gemini
from tests.integration.conftest import KEYS, ONE_TRY
from tests.integration.test_openai_sdk import chunk
from tests.integration.test_openai_sdk_ollama import line, ndjson

Json = dict[str, Any]
Reply = Callable[[Sequence[str], Json, bool], Json]
"""(names of tools, the arguments for each, whether it streams) -> the mock's reply that calls them."""


class Exchange(NamedTuple):
    """A tool call that was made before, and its result, as a provider was told of them."""

    name: str
    arguments: Json
    result: str


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider; without `path` it asks nobody."""

    model: str
    path: str = ""
    """The end of its chat path."""
    calls: Reply = lambda *_: {}
    exchanges: Callable[[Json], list[Exchange]] = lambda _: []
    tools_model: str = ""
    """The model that calls tools by itself, where the mock has no part."""

    def answer_with(self, mock: MockUpstream, reply: Json) -> None:
        """Scripts its answer."""
        if self.path:
            mock.script(reply, path=self.path)

    def sent(self, mock: MockUpstream) -> list[Recorded]:
        """What it was asked."""
        return [request for request in mock.requests() if self.path and self.path in request.path]


def _deepseek_calls(names: Sequence[str], arguments: Json, stream: bool) -> Json:
    function = [{"name": name, "arguments": orjson.dumps(arguments).decode()} for name in names]
    made = [
        {"index": n, "id": f"call_up_{n}", "type": "function", "function": function[n]}
        for n in range(len(names))
    ]
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    if stream:
        pieces = [chunk({"role": "assistant", "content": None}), *(chunk({"tool_calls": [c]}) for c in made)]
        ends = [chunk({}, "tool_calls", usage=usage), "data: [DONE]\n\n"]
        return {"chunks": [*pieces, *ends], "headers": SSE_HEADERS}
    message = {"role": "assistant", "content": None, "tool_calls": made}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return {"json": {"id": "up", "object": "chat.completion", "choices": [choice], "usage": usage}}


def _deepseek_exchanges(body: Json) -> list[Exchange]:
    results = {m["tool_call_id"]: m["content"] for m in body["messages"] if m["role"] == "tool"}
    made = [call for m in body["messages"] for call in m.get("tool_calls") or ()]
    assert set(results) == {call["id"] for call in made}
    return [
        Exchange(call["function"]["name"], orjson.loads(call["function"]["arguments"]), results[call["id"]])
        for call in made
    ]


def _ollama_calls(names: Sequence[str], arguments: Json, stream: bool) -> Json:
    message = {"tool_calls": [{"function": {"name": name, "arguments": arguments}} for name in names]}
    return ndjson(line(message), line(done="stop")) if stream else {"json": line(message, done="stop")}


def _ollama_exchanges(body: Json) -> list[Exchange]:
    results = {m["tool_call_id"]: m for m in body["messages"] if m["role"] == "tool"}
    made = [call for m in body["messages"] for call in m.get("tool_calls") or ()]
    assert {call["id"]: call["function"]["name"] for call in made} == {
        call_id: m["tool_name"] for call_id, m in results.items()
    }
    return [
        Exchange(call["function"]["name"], call["function"]["arguments"], results[call["id"]]["content"])
        for call in made
    ]


def _gemini_calls(names: Sequence[str], arguments: Json, stream: bool) -> Json:
    return gemini.reply(*(gemini.call(name, arguments) for name in names), stream=stream)


def _gemini_exchanges(body: Json) -> list[Exchange]:
    """It pairs by order: a turn of calls is followed by a turn with as many results."""
    made = []
    for turn, following in zip(body["contents"], [*body["contents"][1:], {"parts": []}], strict=True):
        calls = [part["functionCall"] for part in turn["parts"] if "functionCall" in part]
        results = [part["functionResponse"] for part in following["parts"] if "functionResponse" in part]
        if calls:
            assert [call["name"] for call in calls] == [result["name"] for result in results]
            made += [
                Exchange(call["name"], call["args"], _gemini_result(result["response"]))
                for call, result in zip(calls, results, strict=True)
            ]
    return made


def _gemini_result(response: Json) -> str:
    return str(response["output"]) if set(response) == {"output"} else orjson.dumps(response).decode()


def _anthropic_calls(names: Sequence[str], arguments: Json, stream: bool) -> Json:
    blocks = [anthropic_upstream.use(f"toolu_up_{n}", name, arguments) for n, name in enumerate(names)]
    return anthropic_upstream.reply(*blocks, streamed=stream, stop="tool_use")


def _claude_calls(names: Sequence[str], arguments: Json, _stream: bool) -> Json:
    return _anthropic_calls(names, arguments, True)


def _anthropic_exchanges(body: Json) -> list[Exchange]:
    blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
    results = {b["tool_use_id"]: _plain(b["content"]) for b in blocks if b["type"] == "tool_result"}
    made = [b for b in blocks if b["type"] == "tool_use"]
    assert set(results) == {b["id"] for b in made}
    return [Exchange(b["name"], b["input"], results[b["id"]]) for b in made]


def _plain(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


PROVIDERS = {
    "demo": Provider("demo-echo", tools_model="demo-tools"),
    "deepseek": Provider("deepseek-chat", "/chat/completions", _deepseek_calls, _deepseek_exchanges),
    "ollama": Provider("ollama-llama3.2:3b", "/api/chat", _ollama_calls, _ollama_exchanges),
    "vertex": Provider("gemini-3-pro-preview", "Content", _gemini_calls, _gemini_exchanges),
    "anthropic": Provider("claude-sonnet-4-5", "/messages", _anthropic_calls, _anthropic_exchanges),
    "claude": Provider("claude-sonnet-4-5", "/messages", _claude_calls, _anthropic_exchanges),
}

ASKED = [name for name, provider in PROVIDERS.items() if provider.path]
"""Those that ask somebody."""
CONFIG = f"""
[providers.deepseek]
api_key = "sk-upstream-secret"
base_url = "{{url}}"
{ONE_TRY}[providers.ollama]
base_url = "{{url}}"
{ONE_TRY}[providers.anthropic]
api_key = "sk-upstream-secret"
base_url = "{{url}}"
{ONE_TRY}"""
ProxyOf = Callable[[str], FastproxyProcess]


def proxy_to_all(upstream: str, config: str = "") -> FastproxyProcess:
    """A proxy to all of PROVIDERS but the CLI; `config` are tables of one's own, put first."""
    tables = config + KEYS + CONFIG.format(url=upstream) + vertex_table(upstream) + ONE_TRY
    return FastproxyProcess(tables, files=credentials(upstream))


@contextmanager
def proxies(upstream: str) -> Iterator[ProxyOf]:
    """Gives the proxy to a provider by its name: one process for the CLI, one for all others, each started
    when it is first asked for. The test is skipped where the CLI's bridge is not built."""
    with ExitStack() as stack:

        @cache
        def started(with_cli: bool) -> FastproxyProcess:
            if with_cli:
                return stack.enter_context(ClaudeProxy(fake_cli(), upstream, config=KEYS, settings=ONE_TRY))
            return stack.enter_context(proxy_to_all(upstream))

        def proxy_of(name: str) -> FastproxyProcess:
            if name == "claude" and (missing := fake_cli().missing):
                pytest.skip(missing)
            return started(name == "claude")

        yield proxy_of
