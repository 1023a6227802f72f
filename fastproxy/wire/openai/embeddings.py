"""OpenAI's embeddings: the request in, the list of vectors out.

Source: `openai` Python SDK 3.54, `types/embedding_create_params.py` and `types/create_embedding_response.py`;
its client asks for base64 unless told otherwise and reads it as little-endian float32.
"""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from fastproxy.types import Json
from fastproxy.wire.events import Usage
from fastproxy.wire.openai.errors import bad_response, error_in_answer
from fastproxy.wire.openai.faults import invalid, model_of, text_of, wrong_type
from fastproxy.wire.openai.passthrough import encode_answer

_FORMATS = ("float", "base64")


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """One request for embeddings, checked."""

    model: str
    inputs: tuple[str, ...]
    """At least one text, none of them empty."""
    dimensions: int | None = None
    encoding_format: str = "float"
    """"float" or "base64"."""
    user: str | None = None


def model_in(body: Json) -> str:
    """The model that is asked for: no default would be an embedding model. Raises ProxyError."""
    model = model_of(body.get("model"))
    if not model:
        raise invalid("model", "`model` is missing. Name an embedding model, such as text-embedding-005.")
    return model


def parse_embeddings_request(body: Json) -> EmbeddingsRequest:
    """The request in this body. Raises ProxyError (INVALID_REQUEST) naming the field that is wrong."""
    dimensions, user = body.get("dimensions"), body.get("user")
    if dimensions is not None and (type(dimensions) is not int or dimensions < 1):
        raise invalid("dimensions", "`dimensions` must be a positive integer.")
    encoding = body.get("encoding_format")
    if encoding is not None and encoding not in _FORMATS:
        raise invalid("encoding_format", f"`encoding_format` must be one of {', '.join(_FORMATS)}.")
    return EmbeddingsRequest(
        model=model_in(body),
        inputs=_inputs(body.get("input")),
        dimensions=dimensions,
        encoding_format=encoding or "float",
        user=None if user is None else text_of(user, "user"),
    )


def render_embeddings(
    vectors: Sequence[Sequence[float]], model: str, prompt_tokens: int, encoding_format: str
) -> bytes:
    """OpenAI's list of embeddings, in the order of the inputs."""
    encode = _to_base64 if encoding_format == "base64" else list
    data = [
        {"object": "embedding", "index": index, "embedding": encode(vector)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}
    return orjson.dumps({"object": "list", "data": data, "model": model, "usage": usage})


def pass_embeddings(body: bytes, model: str) -> tuple[bytes, Usage | None]:
    """(the answer of an upstream that speaks this format, under the name that was asked for; its usage).

    Raises UpstreamError for an error or garbage.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_response("the body is no JSON.") from error
    if isinstance(answer, dict) and answer.get("error") is not None:
        raise error_in_answer(answer["error"])
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise bad_response("the body has no list `data` of embeddings.")
    usage = answer.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    counted = Usage(tokens, 0, tokens) if type(tokens) is int and tokens >= 0 else None
    return encode_answer({**answer, "model": model}), counted


def _inputs(value: object) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        raise wrong_type("input", "a string or a list of strings", value)
    if not texts:
        raise invalid("input", "`input` must not be an empty list.")
    return tuple(_text(text, f"input[{index}]") for index, text in enumerate(texts))


def _text(value: object, param: str) -> str:
    if type(value) is int or (isinstance(value, list) and all(type(token) is int for token in value)):
        raise invalid(
            "input",
            "`input` holds token numbers, which mean nothing to this model: send strings. "
            "In LangChain set `check_embedding_ctx_length=False`.",
        )
    if not text_of(value, param):
        raise invalid(param, f"`{param}` must not be an empty string.")
    return str(value)


def _to_base64(vector: Sequence[float]) -> str:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()
