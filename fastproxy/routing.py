"""Model name -> Route: aliases, then `NAME/model`, then [[routes]], then the providers' prefixes."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import Deployment, Route

_CACHE_LIMIT = 1024
"""Resolved names kept: a client may ask for any name, memory must not grow with it."""
_LONGEST_NAME = 200
"""Characters of a name that are kept, compared and told."""


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """A provider as the router sees it."""

    name: str
    prefixes: tuple[str, ...]
    """Names beginning so are its own; the first entry that is on and matches wins."""
    strips_prefix: bool
    template: Deployment
    """What all its deployments share; the model's name is filled in."""
    models: tuple[str, ...] = ()
    """Names known beforehand, as clients write them."""
    variants: tuple[tuple[str, str], ...] = ()
    """(beginning of a name at the provider, kind of provider that serves it)."""
    off_reason: str = ""
    """Why it cannot be used, with the remedy; "" where it is on."""
    prefix: str = ""
    """The one of `prefixes` that is its own."""

    def called(self, model: str) -> str:
        """The name by which clients reach a model, given the provider's own name for it."""
        if self.prefix and self.strips_prefix:
            return self.prefix + model
        if self.prefix and model.startswith(self.prefix):
            return model
        return f"{self.name}/{model}"

    def deployment(self, model: str) -> Deployment:
        """The deployment for a name as clients write it."""
        if self.strips_prefix:
            prefix = next((p for p in self.prefixes if model.startswith(p)), "")
            model = model[len(prefix) :]
        kinds = (kind for beginning, kind in self.variants if model.startswith(beginning))
        return replace(self.template, model=model, kind=next(kinds, self.template.kind))


@dataclass(frozen=True, slots=True)
class RouteRule:
    """One [[routes]] entry."""

    match: str
    provider: str
    fallback: tuple[str, ...] | None = None
    """The models that answer where this one cannot; None: those of the chain."""


class Router:
    """Built once from the settings; `resolve` is called for every request."""

    def __init__(
        self,
        entries: Sequence[ProviderEntry],
        *,
        rules: Sequence[RouteRule] = (),
        chain: Sequence[str] = (),
        aliases: Mapping[str, str] | None = None,
        default_model: str = "",
    ) -> None:
        self.entries = {entry.name: entry for entry in entries}
        self.aliases = dict(aliases or {})
        self.known_models: Callable[[], Sequence[str]] = self.configured_models
        """The names to compare an unknown one with; whoever knows more than the settings sets it."""
        self._rules = tuple(rules)
        self._chain = tuple(chain)
        self._default_model = default_model
        self._cache: dict[str, Route] = {}

    def __repr__(self) -> str:
        on = [name for name, entry in self.entries.items() if not entry.off_reason]
        return f"<Router on={','.join(on)} aliases={len(self.aliases)}>"

    def resolve(self, model: str) -> Route:
        """The route of this name; "" means the default model. Raises ProxyError 400 or 404."""
        route = self._cache.get(model)
        if route is None:
            route = self._route(model)
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            if len(model) <= _LONGEST_NAME:
                self._cache[model] = route
        return route

    def _route(self, asked: str) -> Route:
        if not (asked or self._default_model):
            raise ProxyError(
                ErrorKind.INVALID_REQUEST,
                "`model` is missing. Name a model (GET /v1/models lists them), or set server.default_model.",
                param="model",
            )
        wanted = asked or self._default_model
        name = self.aliases.get(wanted, wanted)
        entry, model = self._provider_of(name)
        deployment = entry.deployment(model) if entry else None
        if entry is None or deployment is None or not deployment.model:
            raise self._unknown(wanted[:_LONGEST_NAME])
        if entry.off_reason:
            raise ProxyError(
                ErrorKind.MODEL_NOT_FOUND,
                f"The model {wanted[:_LONGEST_NAME]!r} belongs to provider {entry.name!r}, which is off: "
                f"{entry.off_reason}.",
                param="model",
            )
        found = self._with_fallbacks(name, deployment)
        return Route(model=wanted, canonical=name, deployments=tuple(found.values()), names=tuple(found))

    def _with_fallbacks(self, name: str, first: Deployment) -> dict[str, Deployment]:
        """The deployment and those that answer in its place, by their names, best first."""
        found = {name: first}
        for other in self._fallbacks_of(name):
            entry, model = self._provider_of(other)
            deployment = entry.deployment(model) if entry and not entry.off_reason else None
            if deployment and deployment.model and deployment not in found.values():
                found[other] = deployment
        return found

    def _fallbacks_of(self, name: str) -> Sequence[str]:
        rule = next((rule for rule in self._rules if fnmatch.fnmatchcase(name, rule.match)), None)
        if rule is not None and rule.fallback is not None:
            return [self.aliases.get(other, other) for other in rule.fallback]
        chain = [self.aliases.get(other, other) for other in self._chain]
        # who is a link of the chain is followed by the links after it: a chain has one direction
        return chain[chain.index(name) + 1 :] if name in chain else chain

    def _provider_of(self, name: str) -> tuple[ProviderEntry | None, str]:
        provider, slash, rest = name.partition("/")
        if slash and provider in self.entries:
            return self.entries[provider], rest
        for rule in self._rules:
            if fnmatch.fnmatchcase(name, rule.match):
                return self.entries[rule.provider], name
        matching = [
            entry
            for entry in self.entries.values()
            if any(prefix and name.startswith(prefix) for prefix in entry.prefixes)
        ]
        on = [entry for entry in matching if not entry.off_reason]
        return next(iter(on or matching), None), name

    def _unknown(self, asked: str) -> ProxyError:
        nearest = difflib.get_close_matches(asked, self.known_models(), 3, 0.5)
        hint = f" Did you mean {', '.join(nearest)}?" if nearest else " GET /v1/models lists those that do."
        return ProxyError(
            ErrorKind.MODEL_NOT_FOUND, f"The model {asked!r} does not exist here.{hint}", param="model"
        )

    def templates(self) -> dict[str, Deployment]:
        """What all deployments of a provider share, of each that is on."""
        return {entry.name: entry.template for entry in self.entries.values() if not entry.off_reason}

    def configured_models(self) -> list[str]:
        """Names that can be called, as far as they are known without asking anybody."""
        names = [name for entry in self.entries.values() if not entry.off_reason for name in entry.models]
        return [*names, *self.aliases]
