"""What can be called here: the models of the providers that are on, and how each provider fares."""

from __future__ import annotations

import contextlib
from typing import Any

from fastproxy.errors import ProxyError
from fastproxy.routing import Router
from fastproxy.wire.openai.models import ModelInfo


class Catalogue:
    """Answers from memory, at once, whatever a provider does."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def models(self) -> list[ModelInfo]:
        """All models that can be called, each name once."""
        found = {
            name: ModelInfo(name, entry.name)
            for entry in self._router.entries.values()
            if not entry.off_reason
            for name in entry.models
        }
        for alias in self._router.aliases:
            with contextlib.suppress(ProxyError):  # it leads to a provider that is off, or nowhere
                found[alias] = ModelInfo(alias, self._router.resolve(alias).deployments[0].provider)
        return list(found.values())

    def providers(self) -> dict[str, Any]:
        """Each provider's state for /health: no secrets."""
        return {
            entry.name: {"state": "off", "reason": entry.off_reason} if entry.off_reason else {"state": "on"}
            for entry in self._router.entries.values()
        }
