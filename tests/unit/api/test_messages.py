"""In whose words a request is refused, wherever that happens."""

from __future__ import annotations

import pytest

from fastproxy.api.messages import PATHS, surface_of
from fastproxy.http import HttpRequest
from fastproxy.wire.surface import CHAT, MESSAGES, Surface

VERSION = {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize(
    ("path", "headers", "surface"),
    [
        *((path, {}, MESSAGES) for path in PATHS),
        ("/v1/messages/count_tokens", {}, MESSAGES),
        ("/v1/messages/batches", {}, MESSAGES),
        ("/v1/models", VERSION, MESSAGES),
        ("/v1/models", {}, CHAT),
        ("/v1/chat/completions", {}, CHAT),
        ("/nowhere", {}, CHAT),
    ],
)
def test_the_path_or_the_version_header_decides(path: str, headers: dict[str, str], surface: Surface) -> None:
    assert surface_of(HttpRequest("GET", path, headers, b"")) is surface
