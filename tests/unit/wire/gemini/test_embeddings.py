"""Embeddings at Vertex AI."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.types import Deployment
from fastproxy.wire.gemini.embeddings import build_embeddings, parse_embeddings

DEPLOYMENT = Deployment("vertex", "vertex", "ignored", "", options={"project": "p"})


@pytest.mark.parametrize(
    ("model", "inputs", "dimensions", "method", "body"),
    [
        (
            "text-embedding-005",
            ["a", "b"],
            256,
            "predict",
            {"instances": [{"content": "a"}, {"content": "b"}], "parameters": {"outputDimensionality": 256}},
        ),
        ("text-multilingual-embedding-002", ["a"], None, "predict", {"instances": [{"content": "a"}]}),
        (
            "gemini-embedding-001",
            ["a"],
            768,
            "embedContent",
            {"content": {"parts": [{"text": "a"}]}, "embedContentConfig": {"outputDimensionality": 768}},
        ),
        (
            "gemini-embedding-001",
            ["a", "b"],
            None,
            "batchEmbedContents",
            {"requests": [{"content": {"parts": [{"text": "a"}]}}, {"content": {"parts": [{"text": "b"}]}}]},
        ),
    ],
)
def test_each_family_has_its_method(
    model: str, inputs: list[str], dimensions: int | None, method: str, body: dict[str, Any]
) -> None:
    made = build_embeddings(model, inputs, dimensions, DEPLOYMENT)
    assert made.url.endswith(f"/publishers/google/models/{model}:{method}")
    assert orjson.loads(made.body) == body
    assert made.headers == (("content-type", "application/json"),)


@pytest.mark.parametrize("inputs", [[], [""], [[1, 2]]])
def test_what_is_no_text_is_a_fault(inputs: Any) -> None:
    with pytest.raises(ProxyError, match="input"):
        build_embeddings("text-embedding-005", inputs, None, DEPLOYMENT)


@pytest.mark.parametrize(
    ("answer", "vectors", "tokens"),
    [
        (
            {
                "predictions": [
                    {
                        "embeddings": {
                            "values": [0.1, 0.2],
                            "statistics": {"token_count": 3, "truncated": False},
                        }
                    },
                    {"embeddings": {"values": [0.3, 0.4], "statistics": {"token_count": 4.0}}},
                ]
            },
            [[0.1, 0.2], [0.3, 0.4]],
            7,
        ),
        ({"embedding": {"values": [0.5]}, "usageMetadata": {"promptTokenCount": 2}}, [[0.5]], 2),
        ({"embeddings": [{"values": [1, 2]}, {"values": [3, 4]}]}, [[1, 2], [3, 4]], 0),
    ],
)
def test_vectors_and_tokens_are_read(answer: Any, vectors: list[list[float]], tokens: int) -> None:
    assert parse_embeddings(orjson.dumps(answer)) == (vectors, tokens)


def test_an_error_in_the_answer_is_raised() -> None:
    with pytest.raises(UpstreamError) as caught:
        parse_embeddings(b'{"error": {"code": 429, "message": "Slow."}}')
    assert caught.value.kind is ErrorKind.RATE_LIMITED


values = st.recursive(
    st.none() | st.integers(-2, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "predictions",
                    "embeddings",
                    "embedding",
                    "values",
                    "statistics",
                    "token_count",
                    "usageMetadata",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=20) | values.map(orjson.dumps))
def test_whatever_the_body_is_only_an_upstream_error_escapes(body: bytes) -> None:
    try:
        vectors, tokens = parse_embeddings(body)
    except UpstreamError:
        return
    assert vectors
    assert tokens >= 0
