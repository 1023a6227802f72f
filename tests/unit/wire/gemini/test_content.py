"""Content parts on their way out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ProxyError
from fastproxy.wire.gemini.content import parts, texts


@pytest.mark.parametrize(
    ("part", "made"),
    [
        ({"type": "text", "text": "Hi"}, {"text": "Hi"}),
        ({"type": "refusal", "refusal": "No"}, {"text": "No"}),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
            {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
        ),
        (
            {"type": "image_url", "image_url": "data:text/plain;charset=utf-8,a%20b"},
            {"inlineData": {"mimeType": "text/plain", "data": "YSBi"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://example.com/a.WEBP?x=1.png"}},
            {"fileData": {"mimeType": "image/webp", "fileUri": "https://example.com/a.WEBP?x=1.png"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "gs://bucket/no-extension"}},
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "gs://bucket/no-extension"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "gs://bucket/x", "format": "image/heic"}},
            {"fileData": {"mimeType": "image/heic", "fileUri": "gs://bucket/x"}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
            {"inlineData": {"mimeType": "audio/mpeg", "data": "AA=="}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA=="}},
            {"inlineData": {"mimeType": "application/pdf", "data": "AA=="}},
        ),
        (
            {"type": "file", "file": {"file_data": "AA==", "filename": "a.csv"}},
            {"inlineData": {"mimeType": "text/csv", "data": "AA=="}},
        ),
        (
            {"type": "file", "file": {"file_id": "gs://bucket/a.pdf"}},
            {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://bucket/a.pdf"}},
        ),
    ],
)
def test_a_part_of_a_known_type_is_translated(part: dict[str, Any], made: dict[str, Any]) -> None:
    assert parts([part], "content") == [made]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "ftp://example.com/a.png"}},
        {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
        {"type": "image_url", "image_url": {}},
        {"type": "file", "file": {"file_id": "file-abc"}},
        {"type": "input_audio", "input_audio": {"data": 1}},
        {"type": "hologram"},
        {"type": []},
        7,
    ],
)
def test_a_part_that_cannot_be_sent_is_a_fault_that_names_its_place(part: Any) -> None:
    with pytest.raises(ProxyError) as caught:
        parts(["x", part], "messages[0].content")
    assert caught.value.param == "messages[0].content[1]"
    assert caught.value.status == 400


def test_content_that_is_neither_text_nor_list_is_a_fault() -> None:
    with pytest.raises(ProxyError, match="string or a list"):
        parts({"type": "text"}, "content")


def test_an_address_that_cannot_be_read_is_left_to_google() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://[/x.png"}}
    assert parts([part], "content") == [
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://[/x.png"}}
    ]


@pytest.mark.parametrize(
    ("part", "made"),
    [
        (
            {"type": "input_audio", "input_audio": {"data": "data:audio/ogg;base64,AA==", "format": "ogg"}},
            {"inlineData": {"mimeType": "audio/ogg", "data": "AA=="}},
        ),
        (
            {"type": "file", "file": {"file_data": "https://example.com/x", "filename": "x.txt"}},
            {"fileData": {"mimeType": "text/plain", "fileUri": "https://example.com/x"}},
        ),
    ],
)
def test_an_address_may_stand_where_data_is_expected(part: dict[str, Any], made: dict[str, Any]) -> None:
    assert parts([part], "content") == [made]


def test_texts_that_say_nothing_are_left_out() -> None:
    assert parts(["", {"type": "text", "text": ""}], "content") == []
    assert parts("", "content") == parts(None, "content") == []
    assert texts(["a", {"type": "text", "text": "b"}], "content") == ["a", "b"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
kinds = st.sampled_from(["text", "image_url", "video_url", "input_audio", "file", "refusal"])


@given(kinds, json_values, st.text(max_size=30))
def test_whatever_a_part_holds_only_a_proxy_error_escapes(kind: str, value: Any, url: str) -> None:
    for held in (value, {"url": value}, {"url": url}, {"file_data": url}, {"data": url, "format": url}):
        try:
            parts([{"type": kind, kind: held}], "content")
        except ProxyError as error:
            assert error.param
