"""Model name -> Route: aliases, then `NAME/model`, then [[routes]], then the providers' prefixes.

Other spellings (`names.py`) count only where the name as it stands leads nowhere, or is not listed.
"""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.names import is_no_models_own, may_be_tag, spellings, split_effort
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


@dataclass(frozen=True, slots=True)
class _Place:
    """What a name leads to."""

    alias: str
    """The name by which it was found, without optional prefix: one of [aliases], a neutral one, or `name`."""
    name: str
    """Without alias."""
    entry: ProviderEntry
    deployment: Deployment


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
        neutral_names: bool = True,
    ) -> None:
        self.entries = {entry.name: entry for entry in entries}
        self.aliases = dict(aliases or {})
        self.known_models: Callable[[], Sequence[str]] = self.configured_models
        """The names to compare an unknown one with; whoever knows more than the settings sets it."""
        self.lists: Callable[[Deployment], bool] = self.is_configured
        """Whether this model is known to exist; likewise."""
        self.neutral_names = neutral_names
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
            route, lasting = self._route(model)
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            if lasting and len(model) <= _LONGEST_NAME:
                self._cache[model] = route
        return route

    def _route(self, asked: str) -> tuple[Route, bool]:
        """The route, and whether it may be kept."""
        if not (asked or self._default_model):
            raise ProxyError(
                ErrorKind.INVALID_REQUEST,
                "`model` is missing. Name a model (GET /v1/models lists them), or set server.default_model.",
                param="model",
            )
        wanted = asked or self._default_model
        place, effort, lasting = self._read(wanted)
        if place is None:
            raise self._unknown(wanted[:_LONGEST_NAME])
        if place.entry.off_reason:
            raise ProxyError(
                ErrorKind.MODEL_NOT_FOUND,
                f"The model {wanted[:_LONGEST_NAME]!r} belongs to provider {place.entry.name!r}, which is "
                f"off: {place.entry.off_reason}.",
                param="model",
            )
        found = self._with_fallbacks(place.name, place.deployment)
        deployments, names = tuple(found.values()), tuple(found)
        return Route(wanted, place.name, deployments, names, place.alias, effort), lasting

    def _read(self, wanted: str) -> tuple[_Place | None, str, bool]:
        """(the place, the effort that the name asks for, whether the same will be said later).

        What looks like an effort may be part of a name: the exact name wins where it is known, and where
        nobody knows, unless no model is called so.
        """
        exact = self._find(wanted)
        base, effort = split_effort(wanted)
        if not base:
            return exact, "", True
        if exact and (exact.alias in self.aliases or self.lists(exact.deployment)):
            return exact, "", True
        shorter = None if may_be_tag(wanted) else self._find(base)
        if shorter and (shorter.alias in self.aliases or self.lists(shorter.deployment)):
            return shorter, effort, True
        if shorter and (exact is None or is_no_models_own(wanted, shorter.name)):
            return shorter, effort, False
        return exact, "", False

    def _find(self, wanted: str) -> _Place | None:
        for called, spelled in spellings(wanted, neutral=self.neutral_names):
            name = self.aliases.get(spelled, spelled)
            entry, model = self._provider_of(name)
            deployment = entry.deployment(model) if entry else None
            if entry and deployment and deployment.model:
                return _Place(called, name, entry, deployment)
        return None

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

    def names_of(self, route: Route) -> tuple[str, ...]:
        """The names of a route's first model, however it was asked for: as found, as clients reach it without
        a rule or an alias, and behind its provider's name."""
        first = route.deployments[0]
        return (
            route.canonical,
            self.entries[first.provider].called(first.model),
            f"{first.provider}/{first.model}",
        )

    def templates(self) -> dict[str, Deployment]:
        """What all deployments of a provider share, of each that is on."""
        return {entry.name: entry.template for entry in self.entries.values() if not entry.off_reason}

    def is_configured(self, deployment: Deployment) -> bool:
        """Whether the settings name this model."""
        entry = self.entries[deployment.provider]
        return any(entry.deployment(name).model == deployment.model for name in entry.models)

    def configured_models(self) -> list[str]:
        """Names that can be called, as far as they are known without asking anybody."""
        names = [name for entry in self.entries.values() if not entry.off_reason for name in entry.models]
        return [*names, *self.aliases]
