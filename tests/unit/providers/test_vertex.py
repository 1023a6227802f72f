"""The row of Vertex AI."""

from __future__ import annotations

import orjson

from fastproxy.providers.vertex import PROVIDER
from fastproxy.types import ChatRequest, Deployment


def test_the_row_asks_and_understands_the_answer() -> None:
    request = ChatRequest("m", ({"role": "user", "content": "Hi"},), stream=True)
    made = PROVIDER.build_request(
        request, Deployment("vertex", "vertex", "gemini-2.5-flash", "", options={"project": "p"})
    )
    assert made.url.endswith(":streamGenerateContent?alt=sse")
    body = orjson.dumps({"candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}]})
    assert PROVIDER.parse_response(request, body).choices[0].text == "Hello"
    stream = PROVIDER.translate_stream(request)
    assert len(stream.feed(b"data: " + body + b"\n\n")) == 1
    assert len(stream.finish()) == 1
    assert PROVIDER.parse_error(404, {}, b"").status == 404


def test_an_api_key_goes_in_googles_own_header() -> None:
    assert PROVIDER.auth_header == ("x-goog-api-key", "")
