"""GET /v1/models and /v1/models/{id}: what can be called here, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from fastproxy.auth import Authenticator, may_use
from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.http import HttpRequest, Reply
from fastproxy.types import Caller
from fastproxy.wire.anthropic import model_list
from fastproxy.wire.openai.models import ModelInfo, render_model, render_models

BASES = ("/v1/models", "/models", "/v1/v1/models")

Handler = Callable[[HttpRequest], Awaitable[Reply]]


class Catalogue(Protocol):
    """Knows the models; answers at once, whatever a provider does."""

    def models(self) -> list[ModelInfo]:
        """All models that can be called now."""
        ...

    def real_name(self, name: str) -> str:
        """What an alias stands for: a key that may use the one may use the other."""
        ...


def speaks_anthropic(request: HttpRequest) -> bool:
    """Whether this client reads Anthropic's shapes: its SDKs always send the version they know."""
    return "anthropic-version" in request.headers


def list_handler(authenticator: Authenticator, catalogue: Catalogue) -> Handler:
    """The handler of BASES."""

    async def list_models(request: HttpRequest) -> Reply:
        """The models that this key may use."""
        caller = authenticator.identify(request.headers, request.address)
        models = [model for model in catalogue.models() if _may_see(caller, model.id, catalogue)]
        if speaks_anthropic(request):
            return Reply(model_list.render_models(models))
        return Reply(render_models(models, codex="client_version=" in request.query))

    return list_models


def one_handler(authenticator: Authenticator, catalogue: Catalogue) -> Handler:
    """The handler of BASES/{id}."""

    async def retrieve_model(request: HttpRequest) -> Reply:
        """One model; its id may hold slashes and colons."""
        caller = authenticator.identify(request.headers, request.address)
        asked = request.path_params["model"]
        for model in catalogue.models():
            if model.id == asked and _may_see(caller, asked, catalogue):
                return Reply((model_list.render_model if speaks_anthropic(request) else render_model)(model))
        raise ProxyError(
            ErrorKind.MODEL_NOT_FOUND,
            f"The model {asked[:200]!r} does not exist here. GET /v1/models lists those that do.",
            param="model",
        )

    return retrieve_model


def _may_see(caller: Caller, name: str, catalogue: Catalogue) -> bool:
    return may_use(caller, name) or may_use(caller, catalogue.real_name(name))
