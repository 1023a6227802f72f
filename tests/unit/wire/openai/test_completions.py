"""The old completions: a prompt is a request, a text is an answer, whatever stands in them."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Completion as SdkCompletion

from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.answer import Head
from fastproxy.wire.events import Delta, Event, Fault, Finish, Reasoning, Refusal, Usage, complete
from fastproxy.wire.openai.completions_answer import CompletionsTranslator, parse_text_completion
from fastproxy.wire.openai.completions_render import CompletionsRenderer, render_text_completion
from fastproxy.wire.openai.completions_request import parse_completions

HEAD = Head("cmpl-1", 7, "m")
REQUEST = ChatRequest("m", (), include_usage=True)
ANSWER: list[Event] = [Reasoning("hm"), Delta("a"), Delta("b"), Finish("tool_calls"), Usage(1, 2, 3)]


def test_a_prompt_is_a_message_and_is_kept_for_who_completes_texts() -> None:
    request = parse_completions(
        {"model": "m", "prompt": ["go on"], "logprobs": 3, "max_tokens": 5, "user": None}
    )
    assert request.messages == ({"role": "user", "content": "go on"},)
    assert request.extra == {"prompt": "go on", "logprobs": 3}
    assert request.parameters == {"max_tokens": 5}


def test_a_gap_is_explained_to_who_can_only_chat() -> None:
    request = parse_completions({"model": "m", "prompt": "def f(", "suffix": "): pass"})
    assert request.messages[0]["content"].endswith("def f(<CURSOR>): pass")
    assert (request.extra["prompt"], request.extra["suffix"]) == ("def f(", "): pass")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], "body"),
        ({}, "prompt"),
        ({"prompt": 3}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": "x", "suffix": ["y"]}, "suffix"),
        ({"prompt": "x", "max_tokens": "9"}, "max_tokens"),
        ({"prompt": "x", "stream_options": 3}, "stream_options"),
    ],
)
def test_a_wrong_field_is_named(body: Any, param: str) -> None:
    with pytest.raises(ProxyError) as caught:
        parse_completions(body)
    assert (caught.value.kind, caught.value.param) == (ErrorKind.INVALID_REQUEST, param)


def chunks(data: bytes) -> list[Json]:
    return [orjson.loads(block[6:]) for block in data.split(b"\n\n") if block.startswith(b"data: {")]


def test_a_stream_is_text_then_usage_then_done() -> None:
    renderer = CompletionsRenderer(HEAD, REQUEST)
    data = renderer.render(ANSWER) + renderer.end()
    assert data.endswith(b"data: [DONE]\n\n")
    found = chunks(data)
    for chunk in found:
        SdkCompletion.model_validate(chunk | {"choices": []})
    said = [(c["choices"][0]["text"], c["choices"][0]["finish_reason"]) for c in found if c["choices"]]
    assert said == [("a", None), ("b", None), ("", "stop")]
    assert found[-1]["usage"]["total_tokens"] == 3


def test_a_fault_ends_the_stream_without_done() -> None:
    renderer = CompletionsRenderer(HEAD, REQUEST)
    data = renderer.render([Delta("a"), Fault(UpstreamError(ErrorKind.BAD_RESPONSE, "Broken.")), Delta("b")])
    assert chunks(data)[-1]["error"]["message"] == "Broken."
    assert renderer.end() == b""


def test_a_whole_answer_is_what_the_sdk_expects() -> None:
    body = orjson.loads(
        render_text_completion(complete([*ANSWER[:3], Refusal("!"), *ANSWER[3:]]), HEAD, REQUEST)
    )
    assert SdkCompletion.model_validate(body).choices[0].text == "ab!"
    assert body["choices"][0]["finish_reason"] == "stop"


UPSTREAM = b"".join(
    b"data: " + orjson.dumps({"choices": [choice], "usage": usage}) + b"\n\n"
    for choice, usage in [
        ({"index": 0, "text": "na\u00efve ", "finish_reason": None}, None),
        ({"index": 0, "text": "text", "finish_reason": None}, None),
        ({"index": 0, "text": "", "finish_reason": "length"}, {"prompt_tokens": 1, "completion_tokens": 2}),
    ]
) + b"data: [DONE]\n\n"  # fmt: skip
EXPECTED = [Delta("na\u00efve "), Delta("text"), Finish("length", native="length"), Usage(1, 2, 3)]


@given(st.sets(st.integers(1, len(UPSTREAM) - 1)))
def test_an_upstreams_stream_reads_the_same_however_it_is_cut(cuts: set[int]) -> None:
    translator = CompletionsTranslator(REQUEST)
    edges = [0, *sorted(cuts), len(UPSTREAM)]
    events = [event for a, b in itertools.pairwise(edges) for event in translator.feed(UPSTREAM[a:b])]
    assert [*events, *translator.finish()] == EXPECTED


def test_an_upstreams_whole_answer_is_read() -> None:
    body = orjson.dumps({"choices": [{"text": "ab", "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}})
    completion = parse_text_completion(REQUEST, body)
    assert (completion.choices[0].text, completion.choices[0].finish_reason) == ("ab", "stop")


@given(st.binary() | st.sampled_from([b"{}", b'{"choices":[3]}', b'{"error":{"message":"x"}}', b"[1]"]))
def test_garbage_is_the_upstreams_fault(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        parse_text_completion(REQUEST, body)
