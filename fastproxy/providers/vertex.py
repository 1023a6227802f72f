"""Vertex AI: Google's host for Gemini. What it speaks is in `wire/gemini/`; this is its row."""

from __future__ import annotations

from fastproxy.providers.contract import Provider
from fastproxy.wire.gemini.embeddings import build_embeddings, parse_embeddings
from fastproxy.wire.gemini.errors import parse_error
from fastproxy.wire.gemini.request import build_request
from fastproxy.wire.gemini.response import parse_response
from fastproxy.wire.gemini.stream import translate_stream

PROVIDER = Provider(
    build_request=build_request,
    parse_response=parse_response,
    translate_stream=translate_stream,
    parse_error=parse_error,
    build_embeddings=build_embeddings,
    parse_embeddings=parse_embeddings,
    auth_header=("x-goog-api-key", ""),  # express mode; else the credential "google" is added at sending
)
