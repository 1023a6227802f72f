"""Ollama's row and what it tells about its models."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import UpstreamError
from fastproxy.providers.ollama import OLLAMA, Shown, parse_show, parse_tags
from fastproxy.types import ChatRequest, Deployment


def test_the_row_speaks_the_native_api_and_owns_its_prefix() -> None:
    upstream = OLLAMA.build_request(ChatRequest("m", ()), Deployment("o", "ollama", "m", "http://o:1"))
    assert upstream.url == "http://o:1/api/chat"
    assert OLLAMA.strips_prefix
    assert not OLLAMA.native_surface


def test_tags_are_the_models_with_a_name() -> None:
    body = b'{"models":[{"name":"llama3.2:3b","size":1},{"size":2},3,{"name":4}]}'
    assert parse_tags(body) == [{"name": "llama3.2:3b", "size": 1}]
    assert parse_tags(b'{"models":null}') == []


def test_show_tells_capabilities_and_context_length() -> None:
    body = (
        b'{"capabilities":["completion","tools",1],'
        b'"model_info":{"clip.context_length":77,"general.architecture":"qwen3","qwen3.context_length":40960}}'
    )
    assert parse_show(body) == Shown(("completion", "tools"), 40960)
    assert parse_show(b'{"model_info":{"llama.context_length":8192}}') == Shown((), 8192)
    assert parse_show(b'{"model_info":{"llama.context_length":"8192"}}') == Shown((), None)
    assert parse_show(b"{}") == Shown((), None)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"error":"x"}', b'{"models":1}'])
def test_garbage_is_told(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        parse_tags(body)


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    for parse in (parse_tags, parse_show):
        with suppress(UpstreamError):
            parse(body)
