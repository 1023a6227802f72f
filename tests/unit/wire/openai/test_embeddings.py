"""OpenAI's embeddings as its own SDK sends and reads them."""

from __future__ import annotations

import base64
import struct
import sys
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from fastproxy.errors import ProxyError, UpstreamError
from fastproxy.wire.events import Usage
from fastproxy.wire.openai.embeddings import (
    EmbeddingsRequest,
    parse_embeddings_request,
    pass_embeddings,
    render_embeddings,
)


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        ({"input": "a"}, EmbeddingsRequest("m", ("a",))),
        ({"input": ["a", "b"], "dimensions": None}, EmbeddingsRequest("m", ("a", "b"))),
        (
            {"input": ["a"], "dimensions": 8, "encoding_format": "base64", "user": "u"},
            EmbeddingsRequest("m", ("a",), 8, "base64", "u"),
        ),
    ],
)
def test_requests(body: dict[str, Any], request_: EmbeddingsRequest) -> None:
    assert parse_embeddings_request({"model": "m", **body}) == request_


@pytest.mark.parametrize("tokens", [[9906, 1917], [[9906, 1917], [40]]])
def test_token_numbers_are_refused_with_the_remedy(tokens: list[Any]) -> None:
    with pytest.raises(ProxyError, match="check_embedding_ctx_length=False") as raised:
        parse_embeddings_request({"model": "m", "input": tokens})
    assert (raised.value.status, raised.value.param) == (400, "input")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": 1}, "model"),
        ({"model": ""}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": ""}, "input[0]"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", None]}, "input[1]"),
        ({"input": {"text": "a"}}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": True}, "dimensions"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"encoding_format": []}, "encoding_format"),
        ({"user": 1}, "user"),
    ],
)
def test_a_wrong_request_names_its_field(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ProxyError) as raised:
        parse_embeddings_request({"model": "m", "input": "a", **body})
    assert (raised.value.status, raised.value.param) == (400, param)


def test_the_sdk_reads_the_answer() -> None:
    rendered = render_embeddings([[0.5, -1.0], [2.0, 3]], "ollama-nomic", 7, "float")
    answer = CreateEmbeddingResponse.model_validate(orjson.loads(rendered), strict=True)
    assert [(item.index, item.embedding) for item in answer.data] == [(0, [0.5, -1.0]), (1, [2.0, 3.0])]
    assert (answer.model, answer.usage.prompt_tokens, answer.usage.total_tokens) == ("ollama-nomic", 7, 7)


def test_base64_is_little_endian_float32() -> None:
    (item,) = orjson.loads(render_embeddings([[0.5, -1.0]], "m", 1, "base64"))["data"]
    assert struct.unpack("<2f", base64.b64decode(item["embedding"])) == (0.5, -1.0)


def test_a_big_endian_machine_swaps_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    native = struct.pack("=f", 0.5)
    monkeypatch.setattr(sys, "byteorder", "big")
    (item,) = orjson.loads(render_embeddings([[0.5]], "m", 1, "base64"))["data"]
    assert base64.b64decode(item["embedding"]) == native[::-1]


@pytest.mark.parametrize(
    ("usage", "counted"),
    [({"prompt_tokens": 7}, Usage(7, 0, 7)), ({"prompt_tokens": -1}, None), ({}, None), (None, None)],
)
def test_an_answer_passes_under_the_name_that_was_asked_for(usage: Any, counted: Usage | None) -> None:
    data = [{"object": "embedding", "index": 0, "embedding": "AAAA"}]
    body, found = pass_embeddings(orjson.dumps({"model": "theirs", "data": data, "usage": usage}), "mine")
    assert orjson.loads(body) == {"model": "mine", "data": data, "usage": usage}
    assert found == counted


def test_an_error_in_a_good_status_is_an_error() -> None:
    with pytest.raises(UpstreamError, match="their words"):
        pass_embeddings(b'{"error":{"message":"their words"}}', "m")


@given(st.binary() | st.sampled_from([b"[]", b"{}", b'{"data":{}}', b'{"data":null}', b"1"]))
def test_any_other_bytes_are_an_upstream_error(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        pass_embeddings(body, "m")
