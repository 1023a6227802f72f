"""Embeddings at Ollama: `POST /api/embed` out, vectors in.

Source: Ollama's docs/api.md ("Generate Embeddings") and api/types.go (EmbedRequest, EmbedResponse).
"""

from __future__ import annotations

from fastproxy.types import Deployment, Json, UpstreamRequest
from fastproxy.wire.ollama.errors import bad_response
from fastproxy.wire.ollama.options import own_num_ctx_of
from fastproxy.wire.ollama.request import encode, endpoint, headers_of, keep_alive_of
from fastproxy.wire.ollama.response import parse_object


def build_embeddings(
    model: str, inputs: list[str], dimensions: int | None, deployment: Deployment
) -> UpstreamRequest:
    """The request for one vector per input; `truncate: false`, so that a text too long is an error.

    `num_ctx` is sent only where the operator set it for this very model: the default is meant for chat,
    and embedding models were made for far shorter texts.
    """
    num_ctx = own_num_ctx_of(deployment.options, model)
    optional: Json = {
        "dimensions": dimensions,
        "keep_alive": keep_alive_of(None, deployment),
        "options": None if num_ctx is None else {"num_ctx": num_ctx},
    }
    body: Json = {"model": model, "input": inputs, "truncate": False}
    body |= {name: value for name, value in optional.items() if value is not None}
    return UpstreamRequest(
        url=endpoint(deployment.base_url, "embed"), body=encode(body), headers=headers_of(deployment)
    )


def parse_embeddings(body: bytes) -> tuple[list[list[float]], int]:
    """(the vectors in the order of the inputs, prompt tokens); raises UpstreamError for anything else."""
    answer = parse_object(body)
    vectors = answer.get("embeddings")
    if not isinstance(vectors, list) or not all(_is_vector(vector) for vector in vectors):
        raise bad_response("/api/embed answered without `embeddings`.")
    count = answer.get("prompt_eval_count")
    return vectors, count if type(count) is int and count > 0 else 0


def _is_vector(value: object) -> bool:
    return isinstance(value, list) and all(type(number) in (float, int) for number in value)
