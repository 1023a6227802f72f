"""OpenAI chat -> /api/chat: the whole request, golden and rule by rule."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest, Deployment, ToolChoice, UpstreamRequest
from fastproxy.wire.ollama.request import build_request

GOLDEN = sorted((Path(__file__).parents[3] / "golden" / "ollama").glob("request_*.json"))
DEPLOYMENT = Deployment("ollama", "ollama", "qwen3", "http://ollama:11434", options={"keep_alive": "5m"})
HELLO = ({"role": "user", "content": "Hello"},)
TOOLS = tuple(
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}, "strict": True}}
    for name in ("read", "write")
)


def chat(**fields: Any) -> ChatRequest:
    return ChatRequest("ollama-qwen3", **{"messages": HELLO, **fields})


def body_of(request: ChatRequest, deployment: Deployment = DEPLOYMENT) -> dict[str, Any]:
    return orjson.loads(build_request(request, deployment).body)


def dropped_by(upstream: UpstreamRequest) -> list[str]:
    return [dropped.param for dropped in upstream.dropped]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_requests(path: Path) -> None:
    pair = orjson.loads(path.read_bytes())
    fields = pair["request"]
    choice = fields.pop("tool_choice", None)
    request = chat(
        **{**fields, "messages": tuple(fields["messages"]), "tools": tuple(fields.get("tools", ()))},
        tool_choice=ToolChoice(**choice) if choice else None,
    )
    before = copy.deepcopy(request)
    upstream = build_request(request, DEPLOYMENT)
    assert orjson.loads(upstream.body) == pair["upstream_body"]
    assert dropped_by(upstream) == pair["dropped"]
    assert build_request(request, DEPLOYMENT) == upstream
    assert request == before


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/", "/api", "/api/", "/api/v1"])
def test_a_base_url_with_a_needless_path_is_put_right(tail: str) -> None:
    upstream = build_request(chat(), replace(DEPLOYMENT, base_url=f"http://ollama:11434/sub{tail}"))
    assert upstream.url == "http://ollama:11434/sub/api/chat"


def test_static_headers_are_sent() -> None:
    upstream = build_request(chat(), replace(DEPLOYMENT, headers=(("authorization", "Bearer k"),)))
    assert upstream.headers == (("content-type", "application/json"), ("authorization", "Bearer k"))


def test_nothing_may_be_truncated_silently() -> None:
    body = body_of(chat())
    assert (body["truncate"], body["shift"], body["options"]["num_ctx"]) == (False, False, 32768)


@pytest.mark.parametrize("model", ["big", "big:latest"])
def test_num_ctx_is_the_operators_by_model(model: str) -> None:
    options = {"num_ctx": 4096, "num_ctx_by_model": {"big": 131072}}
    upstream = build_request(chat(), replace(DEPLOYMENT, model=model, options=options))
    assert orjson.loads(upstream.body)["options"]["num_ctx"] == upstream.context_window == 131072


def test_a_client_cannot_make_the_model_reload() -> None:
    extra = {"num_ctx": 1000, "options": {"num_gpu": 1, "num_ctx": 2000, "top_k": 3}}
    upstream = build_request(chat(extra=extra), DEPLOYMENT)
    assert orjson.loads(upstream.body)["options"] == {"top_k": 3, "num_ctx": 32768}
    assert dropped_by(upstream) == ["num_ctx", "num_gpu"]


@pytest.mark.parametrize(
    ("given_value", "sent"), [("10m", "10m"), ("-1", -1), (0, 0), ("300", 300), (2.5, 2.5), ("", None)]
)
def test_keep_alive_of_the_client_comes_first(given_value: object, sent: object) -> None:
    assert body_of(chat(extra={"keep_alive": given_value})).get("keep_alive") == sent


@pytest.mark.parametrize(
    ("choice", "names", "dropped"),
    [
        (None, ["read", "write"], []),
        (ToolChoice("auto"), ["read", "write"], []),
        (ToolChoice("none"), None, []),
        (ToolChoice("required"), ["read", "write"], ["tool_choice"]),
        (ToolChoice("required", ("write",)), ["write"], ["tool_choice"]),
        (ToolChoice("auto", ("read",)), ["read"], []),
    ],
)
def test_tool_choice(choice: ToolChoice | None, names: list[str] | None, dropped: list[str]) -> None:
    upstream = build_request(chat(tools=TOOLS, tool_choice=choice), DEPLOYMENT)
    tools = orjson.loads(upstream.body).get("tools")
    assert (tools and [tool["function"]["name"] for tool in tools]) == names
    assert all("strict" not in tool["function"] for tool in tools or ())
    assert dropped_by(upstream) == dropped


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": TOOLS, "tool_choice": ToolChoice("required", ("gone",))}, "tool_choice"),
        ({"tools": ({"type": "function", "function": {"name": 1}},)}, "tools[0].function.name"),
        ({"extra": {"keep_alive": []}}, "keep_alive"),
        ({"extra": {"keep_alive": True}}, "keep_alive"),
        ({"messages": ({"role": "user", "content": "\ud800"},)}, None),
    ],
)
def test_a_fault_of_the_client_names_its_field(fields: dict[str, Any], param: str | None) -> None:
    with pytest.raises(ProxyError) as raised:
        build_request(chat(**fields), DEPLOYMENT)
    assert (raised.value.status, raised.value.param) == (400, param)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system"]) | anything},
    optional={"content": anything, "tool_calls": anything, "tool_call_id": anything, "name": anything},
)
parameters = st.dictionaries(
    st.sampled_from(["temperature", "stop", "n", "reasoning_effort", "response_format", "logprobs"]), anything
)
extras = st.dictionaries(st.sampled_from(["options", "think", "format", "keep_alive", "top_k"]), anything)


@given(st.lists(messages, max_size=3), parameters, extras)
def test_no_request_raises_anything_else(
    given_messages: list[Any], given_parameters: dict[str, Any], extra: dict[str, Any]
) -> None:
    request = chat(messages=tuple(given_messages), parameters=given_parameters, extra=extra)
    before = copy.deepcopy(request)
    try:
        upstream = build_request(request, DEPLOYMENT)
    except ProxyError as error:
        assert error.status == 400
    else:
        assert orjson.loads(upstream.body)["model"] == "qwen3"
    assert repr(request) == repr(before)
