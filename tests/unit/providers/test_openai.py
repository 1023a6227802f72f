"""The OpenAI-compatible provider: what a client sent goes out, under the deployment's model."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fastproxy.providers.openai import OPENAI
from fastproxy.types import ChatRequest, Deployment, Json
from fastproxy.wire.openai.chat_request import parse_chat

DEPLOYMENT = Deployment("local", "openai", "up", "http://127.0.0.1:9/v1", (("authorization", "Bearer k"),))
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in "XY"]


def sent(**fields: Any) -> Json:
    body = {"model": "asked", "messages": [{"role": "user", "content": "hi"}], **fields}
    made: Json = orjson.loads(OPENAI.build_request(parse_chat(body), DEPLOYMENT).body)
    return made


def test_the_request_goes_to_the_deployment_with_its_headers_and_model() -> None:
    request = OPENAI.build_request(parse_chat({"messages": [{"role": "user", "content": "hi"}]}), DEPLOYMENT)
    assert request.url == "http://127.0.0.1:9/v1/chat/completions"
    assert request.headers == (("content-type", "application/json"), ("authorization", "Bearer k"))
    assert orjson.loads(request.body) == {"model": "up", "messages": [{"role": "user", "content": "hi"}]}


def test_what_the_client_sent_is_sent_on_and_only_its_form_changes() -> None:
    body = sent(
        temperature=0,
        stop="a",
        top_k=3,
        chat_template_kwargs={"x": 1},
        seed=None,
        reasoning={"effort": "low"},
    )
    assert body == {
        "model": "up",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0,
        "stop": ["a"],
        "top_k": 3,
        "chat_template_kwargs": {"x": 1},
        "reasoning_effort": "low",
    }


def test_usage_of_a_stream_is_always_asked_for() -> None:
    assert sent(stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in sent(stream_options={"include_usage": True})


@pytest.mark.parametrize(
    ("choice", "names", "wanted"),
    [
        (None, "XY", None),
        ("auto", "XY", "auto"),
        ("required", "XY", "required"),
        ({"type": "tool", "name": "Y"}, "XY", {"type": "function", "function": {"name": "Y"}}),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"name": "Y"}]}, "Y", "auto"),
    ],
)
def test_a_choice_among_tools_is_understood_by_every_server(choice: Any, names: str, wanted: Any) -> None:
    body = sent(tools=TOOLS, tool_choice=choice)
    assert "".join(tool["function"]["name"] for tool in body["tools"]) == names
    assert body.get("tool_choice") == wanted


def test_building_twice_gives_the_same() -> None:
    request = ChatRequest("m", ({"role": "user", "content": "hi"},), stream=True)
    assert OPENAI.build_request(request, DEPLOYMENT) == OPENAI.build_request(request, DEPLOYMENT)
