"""Anthropic's answers pass as they are, and a broken one never looks whole."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import ChatRequest
from fastproxy.wire.anthropic.errors import Source
from fastproxy.wire.anthropic.passthrough import MessagesPassthrough, pass_message
from fastproxy.wire.events import Usage

SOURCE = Source("Anthropic", "check the key")
MODEL = "claude-sonnet-4-5"
REQUEST = ChatRequest(MODEL, (), stream=True)


def event(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"type": kind, **fields}) + b"\n\n"


def start(model: str = MODEL) -> bytes:
    usage = {"input_tokens": 9, "cache_read_input_tokens": 3, "output_tokens": 1}
    return event("message_start", message={"id": "msg_1", "model": model, "content": [], "usage": usage})


def block(index: int, kind: str, **fields: Any) -> bytes:
    return event("content_block_start", index=index, content_block={"type": kind, **fields})


def delta(index: int, kind: str, **fields: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **fields})


STOP = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 4})
PING = event("ping")
END = event("message_stop")
THINKING = (
    start(),
    block(0, "thinking", thinking="", signature=""),
    PING,
    delta(0, "thinking_delta", thinking="hm\n\nso"),
    delta(0, "signature_delta", signature="c2ln"),
    event("content_block_stop", index=0),
    block(1, "tool_use", id="toolu_1", name="get", input={}),
    delta(1, "input_json_delta", partial_json='{"q":"event: error Gruß"}'),
    event("content_block_stop", index=1),
    STOP,
    END,
)


def passed(pieces: Sequence[bytes], request: ChatRequest = REQUEST) -> tuple[bytes, MessagesPassthrough]:
    stream = MessagesPassthrough(request, SOURCE)
    out = [stream.feed(piece) for piece in pieces if not stream.fault]
    return b"".join([*out, b"" if stream.fault else stream.end()]), stream


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def test_a_whole_stream_passes_byte_for_byte() -> None:
    out, stream = passed(THINKING)
    assert out == b"".join(THINKING)
    assert (stream.fault, stream.finish, stream.carries) == (None, "end_turn", [])
    assert stream.usage == Usage(12, 4, 16, cached_tokens=3)


@given(st.lists(st.integers(0, 5000), max_size=12), st.booleans(), st.booleans())
def test_any_cut_gives_the_same_bytes(places: list[int], crlf: bool, renamed: bool) -> None:
    whole = b"".join(THINKING)
    upstream = whole.replace(b"\n", b"\r\n") if crlf else whole
    request = ChatRequest("mine", ()) if renamed else REQUEST
    out, stream = passed(cut(upstream, places), request)
    assert out == whole.replace(start(), start("mine")) if renamed else out == whole
    assert stream.fault is None


@given(
    st.lists(st.sampled_from([*THINKING, b"\n", b": c\n\n", b"data: [DONE]\n\n", b"x\n\n", b"{}\n\n"])),
    st.data(),
)
def test_whatever_comes_any_cut_gives_the_same_bytes(events: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(events)
    places = data.draw(st.lists(st.integers(0, max(1, len(whole))), max_size=6))
    once, first = passed([whole] if whole else [])
    again, second = passed(cut(whole, places))
    assert again == once
    assert (first.finish, first.usage, bool(first.fault)) == (second.finish, second.usage, bool(second.fault))


@given(st.binary())
def test_no_bytes_are_too_strange(data: bytes) -> None:
    out, stream = passed([data])
    assert stream.fault is not None or stream.finish
    assert out.endswith(b"\n\n")


def test_pieces_with_many_events_pass_as_the_same_object() -> None:
    stream = MessagesPassthrough(REQUEST, SOURCE)
    stream.feed(b"".join(THINKING[:4]))
    piece = delta(0, "text_delta", text="a") + delta(0, "text_delta", text="b")
    assert stream.feed(piece) is piece


@pytest.mark.parametrize(
    ("said", "is_content"),
    [
        (block(0, "text", text=""), False),
        (block(0, "thinking", thinking="", signature=""), False),
        (PING, False),
        (delta(0, "text_delta", text=""), False),
        (block(0, "text", text="already"), True),
        (block(0, "tool_use", id="t", name="n", input={}), True),
        (block(0, "redacted_thinking", data="x"), True),
        (delta(0, "text_delta", text="a"), True),
        (delta(0, "thinking_delta", thinking="a"), True),
        (delta(0, "input_json_delta", partial_json="{"), True),
        (STOP, True),
    ],
)
def test_what_counts_as_first_content(said: bytes, is_content: bool) -> None:
    stream = MessagesPassthrough(REQUEST, SOURCE)
    stream.feed(start() + said)
    assert stream.has_content is is_content


def test_another_name_of_the_model_becomes_the_one_that_was_asked_for() -> None:
    out, _ = passed([start("claude-sonnet-4-5-20250929"), *THINKING[1:]])
    assert out == b"".join(THINKING)


@pytest.mark.parametrize("length", range(1, len(THINKING) - 2))
def test_a_stream_that_breaks_off_ends_with_an_error_and_no_end_marker(length: int) -> None:
    out, stream = passed(THINKING[:length])
    assert stream.fault is not None
    assert stream.fault.kind is ErrorKind.BAD_RESPONSE
    assert out.startswith(b"".join(THINKING[:length]))
    assert out.rsplit(b"event: ", 1)[1].startswith(
        b'error\ndata: {"type":"error","error":{"type":"api_error"'
    )
    assert b"message_stop" not in out


def test_a_forgotten_end_marker_is_added() -> None:
    out, stream = passed(THINKING[:-1])
    assert out == b"".join(THINKING)
    assert stream.fault is None


def test_an_error_in_the_stream_ends_it_in_the_words_of_the_surface() -> None:
    overloaded = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    out, stream = passed([*THINKING[:4], overloaded, *THINKING[4:]])
    assert out == b"".join(THINKING[:4]) + event(
        "error", error={"type": "overloaded_error", "message": "Anthropic: Overloaded"}
    )
    assert stream.fault is not None
    assert (stream.fault.kind, stream.fault.retryable) == (ErrorKind.OVERLOADED, True)


@pytest.mark.parametrize(
    "garbage", [b"event: message_delta\ndata: {\n\n", start(), b'{"error":{"message":"bare"}}\n\n']
)
def test_garbage_after_the_first_content_breaks_the_stream(garbage: bytes) -> None:
    out, stream = passed([*THINKING[:4], garbage])
    assert stream.fault is not None
    assert b"event: error" in out


def test_a_fault_from_outside_is_told_once_and_not_after_the_end() -> None:
    stream = MessagesPassthrough(REQUEST, SOURCE)
    stream.feed(b"".join(THINKING[:4]))
    late = UpstreamError(ErrorKind.IDLE_TIMEOUT, "nothing came")
    assert b'"timeout_error"' in stream.fail(late)
    assert stream.fail(late) == b""
    whole = MessagesPassthrough(REQUEST, SOURCE)
    whole.feed(b"".join(THINKING))
    assert whole.fail(late) == b""
    assert whole.feed(PING) == b""


MESSAGE = b'{ "id": "msg_1", "model": "claude-sonnet-4-5",  "content": [], "stop_reason": "end_turn",\n "usage": {"input_tokens": 2, "output_tokens": 3} }'  # noqa: E501


def test_a_whole_answer_passes_byte_for_byte() -> None:
    answer = pass_message(SOURCE, REQUEST, MESSAGE)
    assert answer.body is MESSAGE
    assert (answer.usage, answer.finish) == (Usage(2, 3, 5), "end_turn")


def test_a_whole_answer_of_another_name_is_renamed() -> None:
    answer = pass_message(SOURCE, ChatRequest("mine", ()), MESSAGE)
    assert orjson.loads(answer.body) == {**orjson.loads(MESSAGE), "model": "mine"}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"type":"error","error":{"type":"api_error","message":"x"}}']
)
def test_a_whole_answer_that_is_none_is_a_fault(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        pass_message(SOURCE, REQUEST, body)
