"""Claude's three doors: URLs, headers and bodies."""

from __future__ import annotations

import orjson
import pytest

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.providers.anthropic import (
    ANTHROPIC,
    CLAUDE_CLI,
    VERTEX_CLAUDE,
    native_count,
    native_request,
    native_vertex_count,
    native_vertex_request,
)
from fastproxy.types import ChatRequest, Deployment

API = Deployment(
    "anthropic", "anthropic", "claude-sonnet-4-5", "https://api.anthropic.com", (("x-api-key", "k"),)
)
VERTEX = Deployment(
    "vertex",
    "vertex",
    "claude-sonnet-4-5@20250929",
    "",
    options={"project": "p", "location": "europe-west1"},
    credential="google",
)
CHAT = ChatRequest(
    "m", ({"role": "user", "content": "hi"},), extra={"anthropic_beta": ["a-1", "b-2", "bad\n"]}
)
STREAM = ChatRequest("m", ({"role": "user", "content": "hi"},), stream=True)


def test_the_api_request() -> None:
    sent = ANTHROPIC.build_request(CHAT, API)
    assert (sent.method, sent.url) == ("POST", "https://api.anthropic.com/v1/messages")
    assert sent.headers == (
        ("content-type", "application/json"),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "a-1,b-2"),
        ("x-api-key", "k"),
    )
    assert orjson.loads(sent.body)["model"] == "claude-sonnet-4-5"


def test_the_vertex_request() -> None:
    sent = VERTEX_CLAUDE.build_request(STREAM, VERTEX)
    assert sent.url == (
        "https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1"
        "/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict"
    )
    body = orjson.loads(sent.body)
    assert "model" not in body
    assert (body["anthropic_version"], body["stream"]) == ("vertex-2023-10-16", True)
    assert sent.headers == (("content-type", "application/json"),)
    assert VERTEX_CLAUDE.build_request(CHAT, VERTEX).url.endswith(":rawPredict")


def test_vertex_without_a_project_is_the_operators_fault() -> None:
    with pytest.raises(ProxyError, match="project") as raised:
        VERTEX_CLAUDE.build_request(CHAT, Deployment("vertex", "vertex", "claude-opus-4-6", ""))
    assert raised.value.kind is ErrorKind.UPSTREAM_AUTH


@pytest.mark.parametrize("provider", [ANTHROPIC, CLAUDE_CLI, VERTEX_CLAUDE])
def test_rows_are_whole(provider: object) -> None:
    assert provider in (ANTHROPIC, CLAUDE_CLI, VERTEX_CLAUDE)
    row = ANTHROPIC if provider is ANTHROPIC else CLAUDE_CLI if provider is CLAUDE_CLI else VERTEX_CLAUDE
    answer = b'{"content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn"}'
    assert row.parse_response(CHAT, answer).choices[0].text == "hi"
    assert row.translate_stream(CHAT).finish()
    assert row.native_surface == "messages"


def test_a_refused_credential_names_the_remedy_of_its_door() -> None:
    body = b'{"type":"error","error":{"type":"authentication_error","message":"no"}}'
    assert "ANTHROPIC_API_KEY" in ANTHROPIC.parse_error(401, {}, body).message
    assert "log in" in CLAUDE_CLI.parse_error(401, {}, body).message
    assert "gcloud" in VERTEX_CLAUDE.parse_error(401, {}, body).message


RAW = b'{ "model": "claude-sonnet-4-5",  "messages": [], "max_tokens": 1.0, "stream": true, "new_field": 1 }'


def test_a_native_request_passes_byte_for_byte() -> None:
    headers = {
        "anthropic-version": "2024-01-01",
        "anthropic-beta": "x",
        "x-api-key": "the client's",
        "host": "h",
    }
    sent = native_request(RAW, orjson.loads(RAW), headers, API)
    assert sent.body is RAW
    assert dict(sent.headers) == {
        "content-type": "application/json",
        "anthropic-version": "2024-01-01",
        "anthropic-beta": "x",
        "x-api-key": "k",
    }


def test_a_native_request_for_another_name_changes_the_model_only() -> None:
    renamed = RAW.replace(b"claude-sonnet-4-5", b"anthropic/sonnet")
    sent = native_request(renamed, orjson.loads(renamed), {}, API)
    assert orjson.loads(sent.body) == orjson.loads(RAW)


def test_a_native_request_for_vertex_moves_the_model_to_the_url() -> None:
    headers = {"anthropic-beta": "x", "anthropic-version": "2023-06-01"}
    sent = native_vertex_request(RAW, orjson.loads(RAW), headers, VERTEX)
    assert sent.url.endswith("@20250929:streamRawPredict")
    body = orjson.loads(sent.body)
    assert "model" not in body
    assert (body["anthropic_version"], body["new_field"]) == ("vertex-2023-10-16", 1)
    assert sent.headers == (("content-type", "application/json"), ("anthropic-beta", "x"))


def test_the_tokens_of_a_native_body_are_asked_beside_its_messages() -> None:
    sent = native_count(RAW, orjson.loads(RAW), {}, API)
    assert sent.url.endswith("/v1/messages/count_tokens")
    assert sent.body is RAW


def test_vertex_is_asked_for_tokens_with_the_model_in_the_body() -> None:
    sent = native_vertex_count(RAW, orjson.loads(RAW), {}, VERTEX)
    assert sent.url.endswith("/publishers/anthropic/models/count-tokens:rawPredict")
    assert orjson.loads(sent.body)["model"] == VERTEX.model


def test_the_cli_counts_no_tokens() -> None:
    assert CLAUDE_CLI.native_count is None
