"""Embeddings at Vertex AI: texts in, one request out; its answer in, vectors out.

Source: google-genai `models.embed_content`: Gemini's embedding models answer `:embedContent` (one text)
and `:batchEmbedContents` (several), the older text models `:predict`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from fastproxy.types import Deployment, Json, UpstreamRequest
from fastproxy.wire.gemini.content import invalid
from fastproxy.wire.gemini.errors import bad_response, error_in, error_in_answer
from fastproxy.wire.gemini.request import encoded, request_headers
from fastproxy.wire.vertex import model_url


def build_embeddings(
    model: str, inputs: list[str], dimensions: int | None, deployment: Deployment
) -> UpstreamRequest:
    """The request for one vector a text. Raises INVALID_REQUEST where there is no text."""
    if not inputs or not all(isinstance(text, str) and text for text in inputs):
        raise invalid(
            "input must be a non-empty string or a list of them: Vertex AI takes no tokens.", "input"
        )
    method, body = (_gemini if "gemini" in model else _predict)(inputs, dimensions)
    url = model_url(replace(deployment, model=model), method)
    return UpstreamRequest(url=url, body=encoded(body), headers=request_headers(deployment))


def parse_embeddings(body: bytes) -> tuple[list[list[float]], int]:
    """The vectors in the order of the texts, and the number of input tokens (0 where it is not told)."""
    try:
        answer = orjson.loads(body)
    except ValueError:
        raise bad_response("it answered with something that is no JSON.") from None
    error = error_in(answer)
    if error is not None:
        raise error_in_answer(error)
    found = _embeddings(answer)
    vectors = [item["values"] for item in found if _is_vector(item.get("values"))]
    if not vectors or len(vectors) != len(found):
        raise bad_response("it answered without a vector for each text.")
    return vectors, _tokens(answer, found)


def _gemini(inputs: list[str], dimensions: int | None) -> tuple[str, Json]:
    config = {"embedContentConfig": {"outputDimensionality": dimensions}} if dimensions else {}
    requests = [{"content": {"parts": [{"text": text}]}, **config} for text in inputs]
    if len(requests) == 1:
        return "embedContent", requests[0]
    return "batchEmbedContents", {"requests": requests}


def _predict(inputs: list[str], dimensions: int | None) -> tuple[str, Json]:
    body: Json = {"instances": [{"content": text} for text in inputs]}
    if dimensions:
        body["parameters"] = {"outputDimensionality": dimensions}
    return "predict", body


def _embeddings(answer: Any) -> list[Json]:
    if not isinstance(answer, dict):
        return []
    if isinstance(answer.get("predictions"), list):
        listed = [
            item.get("embeddings") if isinstance(item, dict) else None for item in answer["predictions"]
        ]
    else:
        listed = answer.get("embeddings") or [answer.get("embedding")]
    return [item if isinstance(item, dict) else {} for item in listed] if isinstance(listed, list) else []


def _is_vector(value: object) -> bool:
    return isinstance(value, list) and all(type(number) in (float, int) for number in value)


def _tokens(answer: Json, found: list[Json]) -> int:
    metadata = answer.get("usageMetadata")
    if isinstance(metadata, dict):
        return _whole(metadata.get("promptTokenCount"))
    statistics = (item.get("statistics") for item in found)
    counts = (
        item.get("token_count", item.get("tokenCount")) for item in statistics if isinstance(item, dict)
    )
    return sum(_whole(count) for count in counts)


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**53 else 0
