"""What may become a label: few values, whatever a client sends."""

from __future__ import annotations

from fastproxy.errors import ErrorKind
from fastproxy.observability.metrics.definitions import MAX_MODELS

OTHER = "other"
CODES = frozenset(kind.value.code for kind in ErrorKind)


class Labels:
    """The values that one process has seen."""

    def __init__(self) -> None:
        self._models: set[str] = set()

    def model(self, name: str, *, answered: bool = False) -> str:
        """The label of a model: its name at the provider, once it has answered. Names that nobody serves
        must not use the places up."""
        if not name or name in self._models:
            return name
        if answered and len(self._models) < MAX_MODELS:
            self._models.add(name)
            return name
        return OTHER


def code(text: str) -> str:
    """The label of an error code. Those of providers, which pass to clients as they are, know no bounds."""
    return text if text in CODES else OTHER
