"""Unary answers on their way through: untouched where they are right, refused where they are no answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.events import Carry
from fastproxy.wire.openai.chat_render import render_completion
from fastproxy.wire.openai.chat_response import parse_response
from fastproxy.wire.openai.whole_answer import pass_completion

DEEPSEEK = Path(__file__).parents[3] / "golden" / "deepseek"
REQUEST = ChatRequest("m", ({"role": "user", "content": "hi"},))
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def answer(**fields: Any) -> Json:
    message = {"role": "assistant", "content": "Hi"}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    head = {"id": "c1", "object": "chat.completion", "created": 5, "model": "m"}
    return {**head, "choices": [choice], **fields}


def passed(body: Json, request: ChatRequest = REQUEST) -> Json:
    out: Json = orjson.loads(pass_completion(request, orjson.dumps(body)).body)
    ChatCompletion.model_validate(out)
    return out


def test_what_is_right_stays_the_very_same_bytes() -> None:
    body = b'{ "id":"c1",  "object":"chat.completion","created":5,"model":"m", ' + orjson.dumps(
        {"choices": answer()["choices"]}
    ).removeprefix(b"{")
    assert pass_completion(REQUEST, body).body == body
    assert pass_completion(REQUEST, b"\n\n \n" + body).body == body


def test_the_model_is_the_one_that_was_asked_for() -> None:
    assert passed(answer(model="up"))["model"] == "m"


def test_what_openai_demands_is_added() -> None:
    out = passed({"choices": [{"message": {"content": "Hi"}}]})
    assert out["object"] == "chat.completion"
    assert out["choices"][0]["finish_reason"] == "stop"
    assert out["choices"][0]["index"] == 0
    assert out["choices"][0]["message"]["role"] == "assistant"


def test_a_finish_reason_is_legal_and_says_when_tools_were_called() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    calling = {"index": 0, "message": message, "finish_reason": "stop"}
    cut = {**answer()["choices"][0], "finish_reason": "insufficient_system_resource"}
    out = passed(answer(choices=[calling, {**cut, "index": 1}]))
    assert [choice["finish_reason"] for choice in out["choices"]] == ["tool_calls", "length"]


@pytest.mark.parametrize("name", ["text", "reasoning", "tool_call"])
def test_deepseeks_recorded_answers_pass_and_translate_to_the_same(name: str) -> None:
    body = (DEEPSEEK / f"{name}.json").read_bytes()
    request = ChatRequest("m", REQUEST.messages, tools=(TOOL,))
    before, whole = orjson.loads(body), pass_completion(request, body)
    after = orjson.loads(whole.body)
    assert after == {**before, "model": "m"}
    assert whole.finish == before["choices"][0]["finish_reason"]
    assert whole.usage is not None
    assert whole.usage.total_tokens == before["usage"]["total_tokens"]
    completion = parse_response(request, body)
    assert completion.usage == whole.usage
    assert tuple(completion.carries) == whole.carries
    rendered = orjson.loads(render_completion(completion, "i", 1, "m"))["choices"][0]["message"]
    message = after["choices"][0]["message"]
    assert (rendered["content"] or "") == (message["content"] or "")
    assert rendered.get("reasoning_content", "") == message.get("reasoning_content", "")
    if name == "tool_call":
        call = message["tool_calls"][0]
        assert whole.carries == (Carry("deepseek.reasoning", call["id"], message["reasoning_content"]),)
        assert rendered["tool_calls"][0]["function"] == call["function"]


def test_cache_hits_become_cached_tokens() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10, "prompt_cache_hit_tokens": 8}
    assert passed(answer(usage=usage))["usage"]["prompt_tokens_details"] == {"cached_tokens": 8}


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"choices":[]}', b'{"choices":[{}]}', b'"x"']
)
def test_garbage_is_a_bad_response(body: bytes) -> None:
    for read in (pass_completion, parse_response):
        with pytest.raises(UpstreamError) as caught:
            read(REQUEST, body)
        assert caught.value.kind is ErrorKind.BAD_RESPONSE


def test_an_error_inside_a_200_is_that_error() -> None:
    body = b'{"error":{"message":"Slow down","code":429}}'
    with pytest.raises(UpstreamError) as caught:
        pass_completion(REQUEST, body)
    assert caught.value.kind is ErrorKind.RATE_LIMITED
    assert "Slow down" in caught.value.message


NAMES = [
    "choices",
    "message",
    "delta",
    "index",
    "finish_reason",
    "usage",
    "id",
    "tool_calls",
    "error",
    "content",
    "function",
    "name",
    "arguments",
]
json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda s: st.lists(s, max_size=3) | st.dictionaries(st.sampled_from(NAMES), s, max_size=4),
    max_leaves=10,
)


@given(json_values)
def test_any_json_is_an_answer_or_an_upstream_error(value: Any) -> None:
    for body in (value, {"choices": [{"message": value}], "usage": value}, answer(usage=value)):
        for read in (pass_completion, parse_response):
            try:
                data = orjson.dumps(body)
            except TypeError:
                continue
            try:
                read(REQUEST, data)
            except UpstreamError as error:
                assert error.message
