"""The chat renderer: the exact chunks that clients rely on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.types import Json
from fastproxy.wire.events import (
    Annotations,
    Carry,
    Completion,
    Delta,
    Event,
    Fault,
    Finish,
    Image,
    Reasoning,
    Refusal,
    ToolDelta,
    Usage,
    complete,
)
from fastproxy.wire.openai.chat_render import ChatRenderer, render_completion, render_error, usage_json

HEAD = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":17,"model":"m\\"","choices":['
USAGE = Usage(3, 4, 7, cached_tokens=1, reasoning_tokens=2, extra={"prompt_cache_hit_tokens": 1})


def renderer(include_usage: bool = False) -> ChatRenderer:
    return ChatRenderer("chatcmpl-1", 17, 'm"', include_usage)


def chunks(data: bytes) -> list[Json]:
    found = []
    for block in data.split(b"\n\n")[:-1]:
        if block != b"data: [DONE]":
            found.append(orjson.loads(block.removeprefix(b"data: ")))
            ChatCompletionChunk.model_validate(found[-1])
    return found


def deltas(*events: Event) -> list[Json]:
    return [chunk["choices"][0]["delta"] for chunk in chunks(renderer().render(events))]


def test_a_chunk_is_this_exact_text() -> None:
    data = renderer().render([Delta("Hi"), Delta(" you"), Finish("stop")])
    assert data == (
        HEAD
        + b'{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}\n\n'
        + HEAD
        + b'{"index":0,"delta":{"content":" you"},"finish_reason":null}]}\n\n'
        + HEAD
        + b'{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    )


def test_the_first_piece_of_a_call_names_it_and_later_ones_only_add_arguments() -> None:
    signed = {"google": {"thought_signature": "S"}}
    first, second, other = deltas(
        ToolDelta(0, "", "call_a", "Grep", extra_content=signed),
        ToolDelta(0, "{}"),
        ToolDelta(1, "{}", "call_b", "Ls"),
    )
    assert first == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "index": 0,
                "id": "call_a",
                "type": "function",
                "function": {"name": "Grep", "arguments": ""},
                "extra_content": signed,
            }
        ],
    }
    assert second == {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}
    assert other["tool_calls"][0]["id"] == "call_b"


def test_each_choice_begins_with_the_role() -> None:
    assert [
        "role" in delta for delta in deltas(Delta("a"), Delta("b", 1), Delta("c"), Finish("stop", 2))
    ] == [
        True,
        True,
        False,
        True,
    ]


def test_other_pieces_have_their_places() -> None:
    item = {
        "type": "url_citation",
        "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1},
    }
    _first, *rest = deltas(Delta("a"), Reasoning("r"), Refusal("no"), Annotations((item,)), Image("data:x"))
    assert rest == [
        {"reasoning_content": "r"},
        {"refusal": "no"},
        {"annotations": [item]},
        {"images": [{"type": "image_url", "image_url": {"url": "data:x"}}]},
    ]


def test_logprobs_stand_beside_the_delta() -> None:
    item = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    (chunk,) = chunks(renderer().render([Delta("a", logprobs=(item,))]))
    assert chunk["choices"][0]["logprobs"] == {"content": [item], "refusal": None}
    assert chunk["choices"][0]["finish_reason"] is None


def test_usage_is_shown_only_to_who_asked_and_last() -> None:
    assert renderer().end() == b"data: [DONE]\n\n"
    silent, asked = renderer(), renderer(include_usage=True)
    events = [Delta("a"), Finish("stop"), USAGE, Carry("k", "id", "v")]
    assert silent.render(events) == asked.render(events)
    assert silent.end() == b"data: [DONE]\n\n"
    end = asked.end()
    assert end.endswith(b"}\n\ndata: [DONE]\n\n")
    (chunk,) = chunks(end)
    assert chunk["choices"] == []
    assert CompletionUsage.model_validate(chunk["usage"]).total_tokens == 7
    assert chunk["usage"] == {
        "prompt_cache_hit_tokens": 1,
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }


def test_usage_that_is_not_known_is_not_invented() -> None:
    assert renderer(include_usage=True).end() == b"data: [DONE]\n\n"


def test_a_fault_ends_the_stream_without_done() -> None:
    failed = renderer(include_usage=True)
    error = UpstreamError(ErrorKind.BAD_RESPONSE, "It broke.")
    data = failed.render([Delta("a"), Fault(error), Delta("b")])
    assert data.endswith(b"data: " + render_error(error) + b"\n\n")
    assert data.count(b"data: ") == 2
    assert failed.render([USAGE, Delta("c")]) == b""
    assert failed.end() == b""


def test_an_error_is_openais_envelope() -> None:
    error = ProxyError(ErrorKind.INVALID_REQUEST, "No.", param="model")
    assert orjson.loads(render_error(error)) == {
        "error": {
            "message": "No.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "invalid_request",
        }
    }


def unary(*events: Event) -> Json:
    body: Json = orjson.loads(render_completion(complete(events), "chatcmpl-1", 17, "m"))
    ChatCompletion.model_validate(body)
    return body


def test_a_completion_has_what_openai_demands() -> None:
    assert unary(Delta("Hi"), Finish("stop"), USAGE) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 17,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": usage_json(USAGE),
    }


def test_calls_alone_leave_the_content_null() -> None:
    message = unary(Reasoning("r"), ToolDelta(0, "{}", "a", "f"), Finish("tool_calls"))["choices"][0][
        "message"
    ]
    assert message == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "reasoning_content": "r",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }


@pytest.mark.parametrize(
    ("events", "content"), [((Finish("stop"),), ""), ((Refusal("no"), Finish("stop")), None)]
)
def test_silence_is_an_empty_text_and_a_refusal_is_none(events: tuple[Event, ...], content: Any) -> None:
    assert unary(*events)["choices"][0]["message"]["content"] == content


def test_extras_of_a_completion_are_there_when_given() -> None:
    choice = unary(
        Delta("a", logprobs=({"token": "a", "logprob": 0, "bytes": None, "top_logprobs": []},)), Image("u")
    )
    assert choice["choices"][0]["message"]["images"] == [{"type": "image_url", "image_url": {"url": "u"}}]
    assert choice["choices"][0]["logprobs"]["refusal"] is None


def test_a_completion_without_usage_has_no_usage() -> None:
    assert "usage" not in orjson.loads(render_completion(Completion([]), "i", 1, "m"))
