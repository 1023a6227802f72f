"""Whole answers: what the stream of the same answer adds up to."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import ChatRequest
from fastproxy.wire.anthropic.errors import Source
from fastproxy.wire.anthropic.response import parse_response
from fastproxy.wire.anthropic.stream import MessagesTranslator
from fastproxy.wire.events import Completion, complete

GOLDEN = Path(__file__).parents[3] / "golden" / "anthropic"
BODY = (GOLDEN / "response_thinking_and_tools.json").read_bytes()
SOURCE = Source("Anthropic", "check the key")
CHAT = ChatRequest("claude", (), tools=({"type": "function", "function": {"name": "fs.read"}},))


def parse(body: bytes) -> Completion:
    return parse_response(SOURCE, CHAT, body)


def test_a_whole_answer_says_what_its_stream_says() -> None:
    translator = MessagesTranslator(CHAT, SOURCE)
    raw = (GOLDEN / "stream_thinking_and_tools.sse").read_bytes()
    streamed = complete([*translator.feed(raw), *translator.finish()])
    whole = parse(BODY)
    for completion in (whole, streamed):
        for call in completion.choices[0].tool_calls:
            call.arguments = orjson.loads(call.arguments)
    assert whole == streamed
    assert whole.choices[0].tool_calls[0].name == "fs.read"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"id": "msg"}', "no content"),
        (b'{"type":"error","error":{"type":"api_error","message":"Internal"}}', "Anthropic: Internal"),
    ],
)
def test_what_is_no_answer_is_told(body: bytes, words: str) -> None:
    with pytest.raises(UpstreamError, match=words) as raised:
        parse(body)
    assert raised.value.kind is ErrorKind.BAD_RESPONSE


values = st.recursive(
    st.none() | st.integers(0, 2) | st.text(max_size=3) | st.sampled_from(["text", "tool_use", "thinking"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "content", "text", "input", "usage", "citations", "stop_reason", "error"]
            ),
            inner,
        )
    ),
)


@given(
    st.binary(max_size=40)
    | st.dictionaries(st.sampled_from(["content", "usage", "error"]), values).map(orjson.dumps)
)
def test_any_bytes_are_an_answer_or_an_upstream_error(body: bytes) -> None:
    try:
        assert len(parse(body).choices) == 1
    except UpstreamError as error:
        assert error.status >= 400
