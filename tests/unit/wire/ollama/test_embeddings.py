"""/api/embed, both ways."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import Deployment
from fastproxy.wire.ollama.embeddings import build_embeddings, parse_embeddings

DEPLOYMENT = Deployment("ollama", "ollama", "nomic-embed-text", "http://ollama:11434/v1")


def test_the_least_request() -> None:
    upstream = build_embeddings("nomic-embed-text", ["a", "b"], None, DEPLOYMENT)
    assert upstream.url == "http://ollama:11434/api/embed"
    assert orjson.loads(upstream.body) == {
        "model": "nomic-embed-text",
        "input": ["a", "b"],
        "truncate": False,
    }


def test_the_operators_settings_and_the_dimensions_are_sent() -> None:
    options = {"num_ctx": 32768, "num_ctx_by_model": {"nomic-embed-text": 2048}, "keep_alive": "-1"}
    deployment = replace(DEPLOYMENT, options=options)
    body = orjson.loads(build_embeddings("nomic-embed-text", ["a"], 256, deployment).body)
    assert (body["dimensions"], body["keep_alive"], body["options"]) == (256, -1, {"num_ctx": 2048})


def test_vectors_and_tokens_are_read() -> None:
    assert parse_embeddings(b'{"embeddings":[[0.5,1],[2.0,3]],"prompt_eval_count":7}') == (
        [[0.5, 1], [2, 3]],
        7,
    )
    assert parse_embeddings(b'{"embeddings":[]}') == ([], 0)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"embeddings":[1]}', b'{"embeddings":[["1"]]}', b'{"embeddings":[[true]]}']
)
def test_garbage_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(UpstreamError) as raised:
        parse_embeddings(body)
    assert raised.value.kind is ErrorKind.BAD_RESPONSE


def test_an_error_is_raised() -> None:
    with pytest.raises(UpstreamError) as raised:
        parse_embeddings(b'{"error":"the input length exceeds the context length"}')
    assert raised.value.kind is ErrorKind.CONTEXT_LENGTH


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        parse_embeddings(body)
