"""Where Vertex AI answers."""

from __future__ import annotations

from typing import Any

import pytest

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import Deployment
from fastproxy.wire.vertex import model_url


def deployment(model: str = "gemini-2.5-flash", base_url: str = "", **options: Any) -> Deployment:
    return Deployment("vertex", "vertex", model, base_url, options=options)


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("", "https://aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_the_location_decides_the_host(location: str, host: str) -> None:
    place = location or "global"
    assert model_url(deployment(project="p", location=location), "generateContent") == (
        f"{host}/v1beta1/projects/p/locations/{place}/publishers/google/models/gemini-2.5-flash:generateContent"
    )


def test_express_mode_names_no_project() -> None:
    url = model_url(deployment(express=True, api_version="v1"), "generateContent")
    assert url == (
        "https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-2.5-flash:generateContent"
    )


@pytest.mark.parametrize("options", [{"project": "p"}, {"express": True}])
def test_a_configured_base_url_is_the_host_in_both_modes(options: dict[str, Any]) -> None:
    url = model_url(deployment(base_url="http://127.0.0.1:9900", **options), "countTokens")
    assert url.startswith("http://127.0.0.1:9900/v1beta1/p")


def test_a_tuned_model_is_an_endpoint() -> None:
    url = model_url(deployment("endpoints/4711", project="p", location="us-east1"), "generateContent")
    assert url.endswith("/projects/p/locations/us-east1/endpoints/4711:generateContent")


def test_another_publisher_has_its_own_path() -> None:
    url = model_url(deployment("claude-opus-4@20250514", project="p"), "rawPredict", "anthropic")
    assert url.endswith("/publishers/anthropic/models/claude-opus-4@20250514:rawPredict")


@pytest.mark.parametrize(
    "name", ["../../x", "a/b", "", "..", "gemini?x=1", "gemini:predict", "endpoints/../x"]
)
def test_no_model_name_changes_the_path(name: str) -> None:
    with pytest.raises(ProxyError) as caught:
        model_url(deployment(name, project="p"), "generateContent")
    assert caught.value.kind is ErrorKind.MODEL_NOT_FOUND


@pytest.mark.parametrize("options", [{}, {"project": "p", "location": "evil.example/"}])
def test_a_missing_project_or_a_wrong_location_names_the_remedy(options: dict[str, Any]) -> None:
    with pytest.raises(ProxyError, match="project") as caught:
        model_url(deployment(**options), "generateContent")
    assert caught.value.headers == {"x-should-retry": "false"}
