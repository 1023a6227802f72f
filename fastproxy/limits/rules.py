"""Which limits hold for a caller and a model: those of the key, else those of all, and those of the model."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fastproxy.types import Caller, Route

REQUESTS, TOKENS = "requests", "tokens"
_CACHE_LIMIT = 1024
"""Names of models are the clients' words: so many are kept."""


class Limit(NamedTuple):
    """So many a minute."""

    unit: str
    """REQUESTS or TOKENS, as in the headers."""
    amount: int
    match: str = ""
    """The pattern of the models that share it; "": it counts requests of all models."""


@dataclass(frozen=True, slots=True)
class ModelRule:
    """One [[limits.models]] entry: what each caller may ask of the models that match, all together."""

    match: str
    requests_per_minute: int = 0
    tokens_per_minute: int = 0


class Rules:
    """Built once; `of` is called for every request. `names` tells all the names of a route's first model, so
    that no spelling of it leads past its limit."""

    def __init__(
        self,
        requests_per_minute: int = 0,
        tokens_per_minute: int = 0,
        models: Sequence[ModelRule] = (),
        names: Callable[[Route], Iterable[str]] = lambda route: (route.canonical,),
    ) -> None:
        self._default = (requests_per_minute, tokens_per_minute)
        self._models, self._names = tuple(models), names
        self._known: dict[tuple[int | None, int | None, ModelRule | None], tuple[Limit, ...]] = {}
        self._rules: dict[str, ModelRule | None] = {}

    def of(self, caller: Caller, route: Route) -> tuple[Limit, ...]:
        """The limits that a request must keep, requests before tokens; none for who is not limited."""
        rule = self._rule(route) if self._models else None
        key = (caller.requests_per_minute, caller.tokens_per_minute, rule)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._limits(*key)
        return found

    def _limits(self, requests: int | None, tokens: int | None, rule: ModelRule | None) -> tuple[Limit, ...]:
        default_requests, default_tokens = self._default
        limits = [
            Limit(REQUESTS, default_requests if requests is None else requests),
            Limit(TOKENS, default_tokens if tokens is None else tokens),
        ]
        if rule is not None:
            limits.insert(1, Limit(REQUESTS, rule.requests_per_minute, rule.match))
            limits.append(Limit(TOKENS, rule.tokens_per_minute, rule.match))
        return tuple(limit for limit in limits if limit.amount)

    def _rule(self, route: Route) -> ModelRule | None:
        """The first that matches one of the model's names."""
        if route.canonical not in self._rules:
            if len(self._rules) >= _CACHE_LIMIT:
                self._rules.clear()
            names = tuple(self._names(route))
            self._rules[route.canonical] = next(
                (
                    rule
                    for rule in self._models
                    if any(fnmatch.fnmatchcase(name, rule.match) for name in names)
                ),
                None,
            )
        return self._rules[route.canonical]
