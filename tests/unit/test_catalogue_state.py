"""What /health tells of circuits and load, and what a model is known to be unable to do."""

from __future__ import annotations

from typing import Any

import pytest

from fastproxy.catalogue import Catalogue
from fastproxy.resilience.gate import Gate
from fastproxy.routing import ProviderEntry, Router
from fastproxy.types import ChatRequest, Deployment, Json
from fastproxy.wire.openai.models import ModelInfo

PLACE = Deployment("ollama", "ollama", "", "http://x")
IMAGE = {
    "role": "user",
    "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
}
TOOL = {"type": "function", "function": {"name": "f"}}


class Known:
    """Discovery that knows what some models can do."""

    def models(self, provider: str) -> tuple[ModelInfo, ...]:
        can = {"blind:latest": frozenset({"tools"}), "able": frozenset({"tools", "vision"}), "unknown": None}
        return tuple(ModelInfo(name, provider, capabilities=known) for name, known in can.items())

    def fault(self, provider: str) -> str:
        return ""

    def state(self, provider: str) -> Json:
        return {}


def catalogue(**told: Any) -> Catalogue:
    return Catalogue(Router([ProviderEntry("ollama", ("ollama-",), True, PLACE)]), Known(), **told)


@pytest.mark.parametrize(
    ("model", "request_", "reason"),
    [
        ("blind", ChatRequest("m", (IMAGE,)), "blind takes no images"),
        ("blind", ChatRequest("m", ({"role": "user", "content": "hi"},), tools=(TOOL,)), ""),
        ("able", ChatRequest("m", (IMAGE,), tools=(TOOL,)), ""),
        ("unknown", ChatRequest("m", (IMAGE,), tools=(TOOL,)), ""),
        ("never-seen", ChatRequest("m", (IMAGE,)), ""),
    ],
)
def test_a_model_is_unable_only_where_that_is_known(model: str, request_: ChatRequest, reason: str) -> None:
    place = Deployment("ollama", "ollama", model, "http://x")
    assert catalogue().unable(place, request_) == reason


def test_a_model_without_tools_says_so() -> None:
    known = Known()
    known.models = lambda _provider: (ModelInfo("m", "ollama", capabilities=frozenset()),)  # type: ignore[method-assign]
    made = Catalogue(Router([]), known)
    place = Deployment("ollama", "ollama", "m", "http://x")
    assert made.unable(place, ChatRequest("m", (), tools=(TOOL,))) == "m takes no tools"


def test_circuits_and_load_stand_beside_the_providers_state() -> None:
    gate = Gate(2)
    gate.try_enter()
    made = catalogue(circuits=lambda: {"ollama": {"m": "open"}}, load=lambda: {"ollama": gate})
    state = made.providers()["ollama"]
    assert state["circuits"] == {"m": "open"}
    assert (state["in_flight"], state["waiting"]) == (1, 0)
    assert "circuits" not in catalogue().providers()["ollama"]
