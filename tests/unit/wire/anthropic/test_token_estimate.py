"""An estimate of tokens from the characters of a body."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastproxy.types import Json
from fastproxy.wire.anthropic.token_estimate import MEDIA_TOKENS, estimate_tokens, render_estimate


def test_an_empty_body_is_a_token() -> None:
    assert estimate_tokens({}) == 1


def test_a_long_text_is_characters_by_three_and_a_half() -> None:
    body = {"messages": [{"role": "user", "content": "x" * 35_000}]}
    assert 10_000 <= estimate_tokens(body) <= 10_010


def test_base64_is_not_text() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 1_000_000}
    body = {"messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}
    assert MEDIA_TOKENS < estimate_tokens(body) < MEDIA_TOKENS + 50


def test_a_deep_body_is_counted_too() -> None:
    deep: Json = {"a": "b"}
    for _ in range(5_000):
        deep = {"a": deep}
    assert estimate_tokens({"tools": deep}) > 1_000


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(one: str, more: str) -> None:
    fewer = estimate_tokens({"system": one, "messages": []})
    assert estimate_tokens({"system": one + more, "messages": []}) >= fewer


def test_the_answer_is_a_json_object() -> None:
    assert render_estimate({}) == b'{"input_tokens":1}'
