"""Content parts become blocks, or are refused by their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ProxyError
from fastproxy.types import Json
from fastproxy.wire.anthropic.content import text_blocks, user_blocks


def image(url: object) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def file(**fields: str) -> Json:
    return {"type": "file", "file": fields}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            image("data:image/PNG;base64,AAAA"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        ),
        (
            {"type": "image_url", "image_url": "https://example.com/a.png"},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        ),
        (
            file(file_data="JVBERi0="),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            },
        ),
        (
            file(file_data="data:text/markdown;charset=utf-8;base64,aGk=", filename="a.md"),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "hi"},
                "title": "a.md",
            },
        ),
        (
            file(file_data="data:text/plain,h%C3%A9"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hé"}},
        ),
        ({"type": "document", "source": {"x": 1}}, {"type": "document", "source": {"x": 1}}),
    ],
)
def test_parts(part: Json, block: Json) -> None:
    assert user_blocks([part], "messages[0]") == [block]
    mark = {"cache_control": {"type": "ephemeral"}}
    assert user_blocks([{**part, **mark}], "messages[0]") == [{**block, **mark}]


def test_openais_cache_mark_is_understood() -> None:
    part = {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert user_blocks([part], "messages[0]")[0]["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(
    ("part", "place"),
    [
        (image("gs://bucket/a.png"), ".image_url"),
        (image("http://example.com/a.png"), ".image_url"),
        (image(None), ".image_url"),
        (image("data:image/tiff;base64,AAAA"), ".image_url"),
        (image("data:image/png,AAAA"), ".image_url"),
        (image("data:image/png;base64"), ".image_url"),
        (file(file_id="file-1"), ".file"),
        (file(file_data="data:text/plain;base64,/w=="), ".file"),
        (file(file_data="data:text/plain;base64,x"), ".file"),
        (file(file_data="data:text/plain,%20"), ".file"),
        ({"type": "input_audio", "input_audio": {}}, ""),
        ({"type": "video_url"}, ""),
        ("text", ""),
    ],
)
def test_what_claude_cannot_read_is_refused_by_its_place(part: object, place: str) -> None:
    with pytest.raises(ProxyError) as raised:
        user_blocks([{"type": "text", "text": "a"}, part], "messages[2]")
    assert (raised.value.status, raised.value.param) == (400, f"messages[2].content[1]{place}")


def test_content_of_a_wrong_type_is_refused() -> None:
    with pytest.raises(ProxyError):
        user_blocks(5, "messages[0]")


def test_empty_text_is_never_a_block() -> None:
    assert user_blocks([{"type": "text", "text": " "}, {"type": "text"}], "messages[0]") == []
    assert text_blocks("\n") == text_blocks(None) == text_blocks([{"type": "image_url"}, 5]) == []


def test_refusals_are_text() -> None:
    assert text_blocks([{"type": "refusal", "refusal": "no"}]) == [{"type": "text", "text": "no"}]


@given(st.text(max_size=40))
def test_any_data_url_is_a_block_or_a_refusal(tail: str) -> None:
    try:
        assert user_blocks([image(f"data:{tail}")], "messages[0]")[0]["type"] in ("image", "document")
    except ProxyError as error:
        assert error.status == 400
