"""Do the names in the configuration lead to models that are there: `default_model` and the aliases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fastproxy.checks.findings import Finding, State
from fastproxy.config import Settings
from fastproxy.errors import ProxyError
from fastproxy.providers import PROVIDERS
from fastproxy.routing import Router
from fastproxy.types import Deployment
from fastproxy.wire.openai.models import ModelInfo

Found = Mapping[str, Sequence[ModelInfo] | None]
"""The models of each provider under its own names; None or missing: it did not tell."""


def check_names(settings: Settings, router: Router, found: Found) -> Iterator[Finding]:
    """One finding for each name that the configuration gives to a model."""
    default = settings.server.default_model
    if default:
        yield _check("default_model", default, "server.default_model", router, found)
    for alias in settings.aliases:
        yield _check(f"alias {alias}", alias, f"aliases.{alias}", router, found)


def _check(title: str, name: str, setting: str, router: Router, found: Found) -> Finding:
    try:
        route = router.resolve(name)
    except ProxyError as error:
        return Finding(title, State.FAULT, error.message, f"mend {setting}")
    place = route.deployments[0]
    models = found.get(place.provider)
    if models is None or _is_there(place.model, models):
        return Finding(title, State.OK, f"{route.canonical} (provider {place.provider})")
    return _missing(title, place, setting)


def _is_there(model: str, models: Sequence[ModelInfo]) -> bool:
    names = {listed.id for listed in models}
    return model in names or f"{model}:latest" in names


def _missing(title: str, place: Deployment, setting: str) -> Finding:
    listing = PROVIDERS[place.kind].listing
    if listing is not None and listing.fetch:
        remedy = f"{listing.fetch.format(model=place.model)}, or mend {setting}"
        return Finding(
            title, State.FAULT, f"{listing.product} has no model {place.model!r}: it is not pulled", remedy
        )
    text = f"{place.provider} does not list {place.model!r}"
    return Finding(title, State.NOTE, text, f"where calls fail, mend {setting}")
