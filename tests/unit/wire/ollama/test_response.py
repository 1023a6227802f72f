"""Whole answers of /api/chat."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import ChatRequest
from fastproxy.wire.events import Choice, Completion, Usage
from fastproxy.wire.ollama.response import parse_response

CHAT = ChatRequest("ollama-qwen3", ())


def answer(message: dict[str, Any] | None = None, **fields: Any) -> bytes:
    return orjson.dumps({"model": "qwen3", "message": message or {"content": "hi"}, "done": True, **fields})


def choice_of(body: bytes, request: ChatRequest = CHAT) -> Choice:
    (choice,) = parse_response(request, body).choices
    return choice


def test_a_whole_answer() -> None:
    body = answer(
        {"role": "assistant", "content": "hi", "thinking": "hm"},
        done_reason="stop",
        prompt_eval_count=3,
        eval_count=2,
    )
    assert parse_response(CHAT, body) == Completion(
        [Choice(0, text="hi", reasoning="hm", finish_reason="stop", native_finish="stop")], Usage(3, 2, 5)
    )


def test_a_body_of_several_lines_adds_up() -> None:
    lines = [
        orjson.dumps({"message": {"content": "a"}, "done": False}),
        answer({"content": "b"}),
        b"",
        b"junk after the end",
    ]
    assert choice_of(b"\r\n".join(lines)).text == "ab"


def test_a_body_in_indented_json_is_one_object() -> None:
    assert choice_of(orjson.dumps(orjson.loads(answer()), option=orjson.OPT_INDENT_2)).text == "hi"


@pytest.mark.parametrize(
    ("reason", "calls", "finish"),
    [
        ("stop", False, "stop"),
        ("stop", True, "tool_calls"),
        ("length", False, "length"),
        ("length", True, "length"),
        ("load", False, "stop"),
        ("unload", False, "stop"),
        ("", True, "tool_calls"),
        (None, False, "stop"),
        ("new word", False, "stop"),
    ],
)
def test_reasons_to_finish(reason: str | None, calls: bool, finish: str) -> None:
    message = {"content": "", "tool_calls": [{"function": {"name": "f"}}] if calls else None}
    choice = choice_of(answer(message, done_reason=reason))
    assert (choice.finish_reason, choice.native_finish) == (finish, reason or "")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [({"a": 1}, '{"a":1}'), ({}, "{}"), (None, "{}"), ("", "{}"), ('{"a": 1}', '{"a": 1}')],
)
def test_arguments_become_text(arguments: object, text: str) -> None:
    message = {"tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}
    choice = choice_of(answer(message))
    assert choice.text is None
    assert [call.arguments for call in choice.tool_calls] == [text]


def test_logprobs_are_completed_to_openais_form() -> None:
    top = {"token": "hi", "logprob": -0.1, "bytes": [104, 105]}
    choice = choice_of(answer(logprobs=[{**top, "top_logprobs": [{"token": "ho", "logprob": -2}]}, top]))
    other = {"token": "ho", "logprob": -2, "bytes": None}
    assert choice.logprobs == [{**top, "top_logprobs": [other]}, {**top, "top_logprobs": []}]


def test_logprobs_of_thoughts_are_left_out() -> None:
    assert choice_of(answer({"thinking": "hm"}, logprobs=[{"token": "hm", "logprob": -1}])).logprobs == []


def test_a_prompt_that_was_cut_is_an_error() -> None:
    request = ChatRequest("m", (), context_window=100)
    with pytest.raises(UpstreamError, match="num_ctx") as raised:
        parse_response(request, answer(prompt_eval_count=100))
    assert raised.value.kind is ErrorKind.CONTEXT_LENGTH
    assert choice_of(answer(prompt_eval_count=99), request).finish_reason == "stop"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"<html>",
        b'{"message":1}',
        b'{"message":{"content":1}}',
        b'{"message":{"tool_calls":1}}',
        b'{"message":{"tool_calls":[{"function":{}}]}}',
        b'{"message":{"tool_calls":[{"function":{"name":"f","arguments":[1]}}]}}',
        b'{"message":{"tool_calls":[{"function":{"name":"f","arguments":'
        + b'{"a":' * 300
        + b"1"
        + b"}" * 300
        + b"}}]}}",
        b'{"message":{"content":"x"},"logprobs":1}',
        b'{"message":{"content":"x"},"done":false}',
        b'{"error":{"code":1}}',
    ],
)
def test_garbage_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(UpstreamError) as raised:
        parse_response(CHAT, body)
    assert raised.value.kind is ErrorKind.BAD_RESPONSE


def test_an_error_in_a_good_status_is_raised() -> None:
    with pytest.raises(UpstreamError, match="ollama pull x"):
        parse_response(CHAT, b'{"error":"model \'x\' not found"}')


@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        parse_response(CHAT, body)
