"""Where Vertex AI answers."""

from __future__ import annotations

import pytest

from fastproxy.providers.vertex_url import vertex_base_url


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("", "https://aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
    ],
)
def test_hosts(location: str, url: str) -> None:
    assert vertex_base_url(location) == url


def test_an_override_wins() -> None:
    assert vertex_base_url("us", "http://127.0.0.1:9/") == "http://127.0.0.1:9"
