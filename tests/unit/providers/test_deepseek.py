"""DeepSeek: fewer parameters, a thinking switch, and thoughts given back where they are demanded."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from fastproxy.errors import ErrorKind, ProxyError, Repair
from fastproxy.providers.deepseek import DEEPSEEK, NO_THINKING
from fastproxy.types import ChatRequest, Deployment, Json
from fastproxy.wire.openai.chat_request import parse_chat

GOLDEN = Path(__file__).parents[2] / "golden"
PAIRS = sorted((GOLDEN / "deepseek").glob("request_*.json"))
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}


def at(model: str, base_url: str = "https://api.deepseek.com") -> Deployment:
    return Deployment("deepseek", "deepseek", model, base_url)


def parse(**fields: Any) -> ChatRequest:
    return parse_chat({"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields})


def build(request: ChatRequest, model: str = "deepseek-v4-pro") -> Json:
    body: Json = orjson.loads(DEEPSEEK.build_request(request, at(model)).body)
    return body


def sent(model: str = "deepseek-v4-pro", **fields: Any) -> Json:
    return build(parse(**fields), model)


def dropped(model: str = "deepseek-v4-pro", **fields: Any) -> list[str]:
    return [drop.param for drop in DEEPSEEK.build_request(parse(**fields), at(model)).dropped]


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_golden_requests(path: Path) -> None:
    pair = orjson.loads(path.read_bytes())
    assert build(parse_chat(pair["client"]), pair["upstream"]["model"]) == pair["upstream"]


@pytest.mark.parametrize("path", sorted((GOLDEN / "clients").glob("*.json")), ids=lambda path: path.stem)
def test_no_field_that_deepseek_does_not_know_is_sent(path: Path) -> None:
    body = orjson.loads(path.read_bytes())
    if "messages" not in body or path.stem == "vscode_copilot":
        return
    known = "messages model thinking reasoning_effort max_tokens response_format stop stream stream_options"
    known += " temperature top_p tools tool_choice logprobs top_logprobs user_id"
    known += " frequency_penalty presence_penalty"
    request = parse_chat(body)
    before = copy.deepcopy(request)
    made = build(request)
    assert set(made) <= set(known.split())
    assert request == before
    for message in made["messages"]:
        keys = {"role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content"}
        assert set(message) <= keys
        assert message["role"] != "developer"
        assert not isinstance(message["content"], list)


@pytest.mark.parametrize(
    ("fields", "thinking", "effort"),
    [
        ({}, None, None),
        ({"reasoning_effort": "none"}, "disabled", None),
        ({"reasoning_effort": "minimal"}, "enabled", "low"),
        ({"reasoning_effort": "low"}, "enabled", "low"),
        ({"reasoning_effort": "medium"}, "enabled", "high"),
        ({"reasoning_effort": "high"}, "enabled", "high"),
        ({"reasoning_effort": "xhigh"}, "enabled", "high"),
        ({"reasoning_effort": "max"}, "enabled", "max"),
        ({"thinking": {"type": "disabled"}, "reasoning_effort": "high"}, "disabled", None),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, "enabled", None),
    ],
)
def test_effort_and_thinking_become_deepseeks_switch(
    fields: Json, thinking: str | None, effort: str | None
) -> None:
    body = sent(**fields)
    assert body.get("thinking") == ({"type": thinking} if thinking else None)
    assert body.get("reasoning_effort") == effort


def test_an_unknown_effort_is_told() -> None:
    with pytest.raises(ProxyError) as caught:
        sent(reasoning_effort="extreme")
    assert caught.value.param == "reasoning_effort"


def test_sampling_is_left_out_while_it_thinks_and_sent_while_not() -> None:
    fields = {"temperature": 0, "top_p": 1, "presence_penalty": 1, "frequency_penalty": 1, "logprobs": True}
    assert not set(fields) & set(sent(**fields))
    assert dropped(**fields) == list(fields)
    assert fields.items() <= sent("deepseek-chat", **fields).items()
    assert fields.items() <= sent(**fields, reasoning_effort="none").items()


def test_parameters_it_does_not_have_are_named_and_not_sent() -> None:
    fields = {"seed": 1, "n": 2, "parallel_tool_calls": False, "logit_bias": {}, "metadata": {"a": "b"}}
    assert not set(fields) & set(sent(**fields))
    assert dropped(**fields) == list(fields)
    assert dropped(n=1, parallel_tool_calls=True, modalities=["text"]) == []
    with pytest.raises(ProxyError):
        sent(modalities=["audio"])


def test_the_user_is_told_in_the_letters_it_allows() -> None:
    assert sent(user="auth0|user 1")["user_id"] == "auth0_user_1"


def test_a_forced_call_is_left_to_the_model_while_it_thinks() -> None:
    named = {"type": "function", "function": {"name": "f"}}
    assert sent(tools=[TOOL], tool_choice="required")["tool_choice"] == "auto"
    assert sent(tools=[TOOL], tool_choice=named)["tool_choice"] == "auto"
    assert dropped(tools=[TOOL], tool_choice=named) == ["tool_choice"]
    assert sent("deepseek-chat", tools=[TOOL], tool_choice=named)["tool_choice"] == named


def test_strict_tools_are_for_the_beta_address_only() -> None:
    request = parse(tools=[TOOL])
    assert "strict" not in build(request)["tools"][0]["function"]
    beta = DEEPSEEK.build_request(request, at("m", "https://api.deepseek.com/beta"))
    assert orjson.loads(beta.body)["tools"][0]["function"]["strict"] is True


def test_a_schema_is_told_in_the_prompt() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "title": "T"}}}
    body = sent(response_format=wanted)
    assert body["response_format"] == {"type": "json_object"}
    assert '{"type":"object","title":"T"}' in body["messages"][0]["content"]
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    first, _second = sent(response_format={"type": "json_object"}, messages=messages)["messages"]
    assert first["role"] == "system"
    assert first["content"].startswith("Be brief.\n\n")
    assert "JSON" in first["content"]
    spoken = [{"role": "user", "content": "as Json"}]
    assert sent(response_format={"type": "json_object"}, messages=spoken)["messages"] == spoken


def test_an_image_is_refused_with_its_place() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:x"}}]
    with pytest.raises(ProxyError) as caught:
        sent(messages=[{"role": "user", "content": content}])
    assert caught.value.param == "messages[0].content[1]"
    assert caught.value.status == 400


def call(call_id: str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}


LOOP: list[Json] = [
    {"role": "user", "content": "do"},
    {"role": "assistant", "content": None, "tool_calls": [call("a"), call("b")]},
    {"role": "tool", "tool_call_id": "a", "content": "A"},
    {"role": "tool", "tool_call_id": "b", "content": "B"},
    {"role": "assistant", "content": "done"},
    {"role": "user", "content": "thanks"},
    {"role": "assistant", "content": "welcome", "reasoning_content": "idle"},
    {"role": "user", "content": "bye"},
]


def given_back(request: ChatRequest, model: str = "deepseek-v4-pro") -> list[str | None]:
    messages = build(request, model)["messages"]
    return [m.get("reasoning_content") for m in messages if m["role"] == "assistant"]


def test_thoughts_of_a_tool_loop_are_given_back_remembered_or_empty() -> None:
    request = parse(messages=LOOP)
    assert given_back(request) == ["", "", None]
    remembered = {("deepseek.reasoning", "b"): "R1", ("deepseek.reasoning_after", "b"): "R2"}
    assert given_back(replace(request, recalled=remembered)) == ["R1", "R2", None]
    own = [
        {**message, "reasoning_content": "own"} if message["role"] == "assistant" else message
        for message in LOOP
    ]
    assert given_back(replace(parse(messages=own), recalled=remembered)) == ["own", "own", None]


def test_without_thinking_no_thoughts_are_sent() -> None:
    own = [
        {**message, "reasoning_content": "own"} if message["role"] == "assistant" else message
        for message in LOOP
    ]
    assert given_back(parse(messages=own, reasoning_effort="none")) == [None] * 3
    assert given_back(parse(messages=own), "deepseek-chat") == [None] * 3
    repaired = replace(parse(messages=own, reasoning_effort="high"), repairs=(NO_THINKING,))
    assert given_back(repaired) == [None] * 3
    assert build(repaired)["thinking"] == {"type": "disabled"}
    assert "reasoning_effort" not in build(repaired)


@pytest.mark.parametrize(
    "text",
    [
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
        "Missing reasoning_content field in the assistant message at message index 3",
    ],
)
def test_lost_thoughts_come_with_a_repair(text: str) -> None:
    body = orjson.dumps(
        {"error": {"message": text, "type": "invalid_request_error", "code": "invalid_request_error"}}
    )
    error = DEEPSEEK.parse_error(400, {}, body)
    assert error.repair == Repair("deepseek.no_thinking")
    assert text in error.message
    assert DEEPSEEK.parse_error(400, {}, b'{"error":{"message":"other"}}').repair is None


def test_an_empty_balance_says_so() -> None:
    error = DEEPSEEK.parse_error(402, {}, b'{"error":{"message":"Insufficient Balance"}}')
    assert error.kind is ErrorKind.INSUFFICIENT_QUOTA
    assert "Insufficient Balance" in error.message
    assert "Top up" in error.message
