"""A completion as a message that Anthropic's SDK reads."""

from __future__ import annotations

import orjson
import pytest
from anthropic.types import Message

from fastproxy.errors import UpstreamError
from fastproxy.types import Json
from fastproxy.wire.answer import Head
from fastproxy.wire.anthropic.message import SIGNATURE, render_message, usage_json
from fastproxy.wire.events import Choice, Completion, ToolCall, Usage


def rendered(completion: Completion) -> Json:
    body: Json = orjson.loads(render_message(completion, Head("msg_1", 7, "m")))
    Message.model_validate(body)
    return body


def test_thoughts_then_text_then_calls() -> None:
    choice = Choice(
        text="I look.",
        reasoning="hm",
        tool_calls=[ToolCall("c1", "look", '{"at":1}'), ToolCall("c2", "look", "")],
        finish_reason="tool_calls",
    )
    message = rendered(Completion([choice], Usage(10, 4, 14, cached_tokens=6, cache_write_tokens=1)))
    assert message["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": SIGNATURE},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}},
        {"type": "tool_use", "id": "c2", "name": "look", "input": {}},
    ]
    assert (message["stop_reason"], message["stop_sequence"]) == ("tool_use", None)
    assert message["usage"] == {
        "input_tokens": 3,
        "output_tokens": 4,
        "cache_read_input_tokens": 6,
        "cache_creation_input_tokens": 1,
    }


def test_a_refusal_and_an_image_are_text() -> None:
    choice = Choice(refusal="No. ", images=["https://x.example/a.png"], finish_reason="stop")
    message = rendered(Completion([choice]))
    assert message["content"] == [{"type": "text", "text": "No. ![image](https://x.example/a.png)"}]
    assert message["stop_reason"] == "refusal"


@pytest.mark.parametrize("completion", [Completion([]), Completion([Choice(text="")])])
def test_an_empty_answer_has_no_blocks(completion: Completion) -> None:
    message = rendered(completion)
    assert (message["content"], message["stop_reason"]) == ([], "end_turn")


def test_arguments_nested_past_the_encoder_are_the_providers_fault() -> None:
    call = ToolCall("c", "look", '{"a":' + "[" * 500 + "]" * 500 + "}")
    with pytest.raises(UpstreamError):
        rendered(Completion([Choice(tool_calls=[call])]))


def test_counts_are_never_negative() -> None:
    assert usage_json(Usage(1, 1, 2, cached_tokens=5))["input_tokens"] == 0
