"""Refusals: the status first, then the text; the text is always told."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.wire.ollama.errors import BOOLEAN_THINKING, NO_THINKING, error_of_text, parse_error


def refuse(status: int, text: object) -> UpstreamError:
    return parse_error(status, {}, orjson.dumps({"error": text}))


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, "invalid message content type: []interface {}", ErrorKind.INVALID_REQUEST),
        (400, "registry.ollama.ai/library/x does not support tools", ErrorKind.INVALID_REQUEST),
        (400, "the input length exceeds the context length", ErrorKind.CONTEXT_LENGTH),
        (400, "the prompt is longer than the context length currently available", ErrorKind.CONTEXT_LENGTH),
        (400, "request (9 tokens) exceeds the available context size (8 tokens)", ErrorKind.CONTEXT_LENGTH),
        (500, "the input length exceeds the context length", ErrorKind.CONTEXT_LENGTH),
        (401, "unauthorized", ErrorKind.UPSTREAM_AUTH),
        (403, "remote inference is unavailable", ErrorKind.UPSTREAM_AUTH),
        (404, "model 'x' not found", ErrorKind.MODEL_NOT_FOUND),
        (404, 'model "x:1b" not found, try pulling it first', ErrorKind.MODEL_NOT_FOUND),
        (429, "too many concurrent requests", ErrorKind.RATE_LIMITED),
        (499, "request canceled", ErrorKind.BAD_RESPONSE),
        (500, "llama runner process has terminated", ErrorKind.BAD_RESPONSE),
        (503, "server busy, please try again.  maximum pending requests exceeded", ErrorKind.OVERLOADED),
    ],
)
def test_kinds(status: int, text: str, kind: ErrorKind) -> None:
    error = refuse(status, text)
    assert error.kind is kind
    assert error.message.startswith(f"Ollama: {text}")
    assert error.upstream_status == status


@pytest.mark.parametrize("name", ["llama3.2:3b", "x", "hf.co/a/b"])
def test_a_missing_model_tells_how_to_get_it(name: str) -> None:
    assert f"`ollama pull {name}`" in refuse(404, f"model '{name}' not found").message
    assert f"`ollama pull {name}`" in refuse(404, f'model "{name}" not found, try pulling it first').message


@pytest.mark.parametrize(
    ("text", "repair"),
    [
        ('"llama3.2" does not support thinking', NO_THINKING),
        ('think value "low" is not supported for this model', BOOLEAN_THINKING),
        ('invalid think value: "max" (must be "high", "medium", "low", true, or false)', BOOLEAN_THINKING),
    ],
)
def test_a_refused_think_can_be_repaired(text: str, repair: str) -> None:
    error = refuse(400, text)
    assert error.repair is not None
    assert error.repair.name == repair
    assert refuse(503, text).repair is None


@pytest.mark.parametrize(
    ("status", "body", "kind", "shown"),
    [
        (404, b"404 page not found", ErrorKind.BAD_RESPONSE, "404 page not found"),
        (502, b"<html><h1>Bad Gateway", ErrorKind.BAD_RESPONSE, "an HTML page (status 502)"),
        (503, b"", ErrorKind.OVERLOADED, "status 503 without a text"),
        (400, b'{"detail":"x"}', ErrorKind.INVALID_REQUEST, '{"detail":"x"}'),
        (400, b'{"error":{"message":"from a gateway"}}', ErrorKind.INVALID_REQUEST, "from a gateway"),
    ],
)
def test_bodies_that_are_not_ollamas(status: int, body: bytes, kind: ErrorKind, shown: str) -> None:
    error = parse_error(status, {}, body)
    assert error.kind is kind
    assert error.message.startswith(f"Ollama: {shown}")


def test_a_long_text_is_cut() -> None:
    assert len(error_of_text("x" * 100_000).message) < 3000


@given(st.integers(300, 599), st.binary(max_size=60))
def test_every_answer_is_an_error(status: int, body: bytes) -> None:
    assert parse_error(status, {}, body).message.startswith("Ollama: ")
