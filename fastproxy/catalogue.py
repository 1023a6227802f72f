"""What can be called here: the models of the providers that are on, and how each provider fares."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

from fastproxy.errors import ProxyError
from fastproxy.names import neutral_name
from fastproxy.resilience.gate import Gate
from fastproxy.routing import ProviderEntry, Router
from fastproxy.types import ChatRequest, Deployment, Json
from fastproxy.wire.openai.models import ModelInfo


class Discovering(Protocol):
    """What is known of the providers' own lists; answers at once."""

    def models(self, provider: str) -> tuple[ModelInfo, ...]:
        """Under the provider's own names."""
        ...

    def fault(self, provider: str) -> str:
        """Why it does not answer; "" where it does, or nobody has asked it."""
        ...

    def state(self, provider: str) -> Json:
        """What it told of its own state."""
        ...


class Catalogue:
    """Answers from memory, at once, whatever a provider does."""

    def __init__(
        self,
        router: Router,
        discovery: Discovering | None = None,
        credentials: Callable[[], Mapping[str, Any]] = dict,
        circuits: Callable[[], Mapping[str, Mapping[str, str]]] = dict,
        load: Callable[[], Mapping[str, Gate]] = dict,
    ) -> None:
        self._router, self._discovery, self._credentials = router, discovery, credentials
        self._circuits, self._load = circuits, load

    def models(self) -> list[ModelInfo]:
        """All models that can be called, each name once: the configured ones first, then what was found, then
        the aliases."""
        found = self._found()
        return [*found.values(), *self._neutral(found)]

    def _found(self) -> dict[str, ModelInfo]:
        found: dict[str, ModelInfo] = {}
        for entry in self._router.entries.values():
            if not entry.off_reason:
                known = [ModelInfo(name, entry.name) for name in entry.models]
                for model in (*known, *self._discovered(entry)):
                    name = self._own_name(entry, model.id)
                    found[name] = replace(model, id=name)
        for alias, target in self._router.aliases.items():
            with contextlib.suppress(ProxyError):  # it leads to a provider that is off, or nowhere
                owner = self._router.resolve(alias).deployments[0].provider
                found[alias] = replace(found.get(target, ModelInfo(target, owner)), id=alias)
        return found

    def real_name(self, name: str) -> str:
        """What an alias stands for."""
        return self._router.resolve(name).canonical

    def lists(self, deployment: Deployment) -> bool:
        """Whether this model is configured, or was found at its provider."""
        return self._router.is_configured(deployment) or any(
            model.id in (deployment.model, f"{deployment.model}:latest") for model in self._at(deployment)
        )

    def _neutral(self, found: Mapping[str, ModelInfo]) -> Iterator[ModelInfo]:
        """The same models under the names that give no maker away, where these lead to them."""
        for name, model in found.items() if self._router.neutral_names else ():
            neutral = neutral_name(name)
            if neutral and neutral not in found:
                with contextlib.suppress(ProxyError):  # a provider of that prefix, which is off
                    if self.real_name(neutral) == self.real_name(name):
                        yield replace(model, id=neutral)

    def names(self) -> list[str]:
        """Their names alone, without the neutral ones."""
        return list(self._found())

    def providers(self) -> dict[str, Any]:
        """Each provider's state for /health: on, off or not answering, and why. No secrets."""
        credentials, circuits, load = self._credentials(), self._circuits(), self._load()
        told = {}
        for name, entry in self._router.entries.items():
            told[name] = state = self._state(entry, credentials.get(name))
            if name in circuits:
                state["circuits"] = dict(circuits[name])
            if name in load:
                state |= {"in_flight": load[name].busy, "waiting": load[name].waiting}
        return told

    def unable(self, deployment: Deployment, request: ChatRequest) -> str:
        """Why this model cannot do what the request needs; "" where nothing is known against it."""
        names = (deployment.model, f"{deployment.model}:latest")
        known = next((model.capabilities for model in self._at(deployment) if model.id in names), None)
        if known is None:
            return ""
        if request.tools and "tools" not in known:
            return f"{deployment.model} takes no tools"
        if "vision" not in known and any(_has_image(message) for message in request.messages):
            return f"{deployment.model} takes no images"
        return ""

    def _at(self, deployment: Deployment) -> tuple[ModelInfo, ...]:
        return self._discovery.models(deployment.provider) if self._discovery else ()

    def _own_name(self, entry: ProviderEntry, name: str) -> str:
        """The name that leads to this provider: with the provider's in front where another one takes it."""
        owner = self._router.resolve(name).deployments[0].provider
        return name if owner == entry.name else f"{entry.name}/{name}"

    def _discovered(self, entry: ProviderEntry) -> Iterator[ModelInfo]:
        for model in self._discovery.models(entry.name) if self._discovery else ():
            yield replace(model, id=entry.called(model.id), name=model.name or model.id)

    def _state(self, entry: ProviderEntry, credential: Mapping[str, Any] | None) -> dict[str, Any]:
        if entry.off_reason:
            return {"state": "off", "reason": entry.off_reason}
        fault = self._discovery.fault(entry.name) if self._discovery else ""
        told = self._discovery.state(entry.name) if self._discovery else {}
        if credential and not credential["valid"] and credential["last_error"]:
            fault = str(credential["last_error"])
        state: dict[str, Any] = {"state": "not answering", "reason": fault} if fault else {"state": "on"}
        return state | told | ({"credential": dict(credential)} if credential else {})


def _has_image(message: Json) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(part.get("type") == "image_url" for part in content)
