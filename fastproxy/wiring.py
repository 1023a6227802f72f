"""From settings to the objects of the request's path: what each provider's table becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastproxy.config import ProviderSettings, Settings
from fastproxy.config.providers import ClaudeSettings, VertexSettings
from fastproxy.limits.rules import ModelRule
from fastproxy.providers import PROVIDERS
from fastproxy.providers.contract import Provider
from fastproxy.routing import ProviderEntry, RouteRule
from fastproxy.types import Deployment, Headers
from fastproxy.upstream.demo import OFFLINE
from fastproxy.upstream.google_auth import METADATA_HOST, GoogleCredential

_NO_OPTIONS = ("api_key", "base_url", "bridge_url", "bridge_secret")
"""Settings that stand in a deployment's own fields."""


def provider_entries(settings: Settings, off_reasons: Mapping[str, str]) -> list[ProviderEntry]:
    """One entry a configured provider, in the order of preference of the provider table."""
    kinds = list(PROVIDERS)
    tables = sorted(settings.providers.items(), key=lambda item: kinds.index(item[1].kind))
    queue_seconds = settings.server.queue_seconds
    return [_entry(name, table, off_reasons.get(name, ""), queue_seconds) for name, table in tables]


def route_rules(settings: Settings) -> list[RouteRule]:
    """The [[routes]] of the configuration, in its order."""
    return [
        RouteRule(rule.match, rule.provider, None if rule.fallback is None else tuple(rule.fallback))
        for rule in settings.routes
    ]


def model_rules(settings: Settings) -> list[ModelRule]:
    """The [[limits.models]] of the configuration, in its order."""
    return [
        ModelRule(row.match, row.requests_per_minute or 0, row.tokens_per_minute or 0)
        for row in settings.limits.models
    ]


def google_credentials(settings: Settings, off_reasons: Mapping[str, str]) -> dict[str, GoogleCredential]:
    """A credential for each Vertex provider that is on and has no API key of its own."""
    return {
        name: GoogleCredential(
            table.credentials_file, table.project, metadata_host=table.metadata_host or METADATA_HOST
        )
        for name, table in settings.providers.items()
        if isinstance(table, VertexSettings)
        and not table.api_key.get_secret_value()
        and not off_reasons.get(name)
    }


def _entry(name: str, table: ProviderSettings, off_reason: str, queue_seconds: float) -> ProviderEntry:
    provider = PROVIDERS[table.kind]
    entry = ProviderEntry(
        name=name,
        prefixes=(table.prefix, *provider.also_serves) if table.prefix else provider.also_serves,
        strips_prefix=provider.strips_prefix,
        template=replace(_template(name, table, provider), care=table.care(queue_seconds)),
        variants=provider.variants,
        off_reason=off_reason,
        prefix=table.prefix,
    )
    return replace(entry, models=tuple(entry.called(model) for model in table.models))


def _template(name: str, table: ProviderSettings, provider: Provider) -> Deployment:
    key = _secret(table)
    options = {
        field: getattr(table, field)
        for field in type(table).model_fields
        if field not in ProviderSettings.model_fields and field not in _NO_OPTIONS
    }
    needs_google = isinstance(table, VertexSettings) and not key
    return Deployment(
        provider=name,
        kind=table.kind,
        model="",
        base_url=_base_url(table),
        headers=_key_header(provider, key),
        options=options | ({"express": bool(key)} if isinstance(table, VertexSettings) else {}),
        timeouts=table.timeouts,
        credential=name if needs_google else "",
    )


def _base_url(table: ProviderSettings) -> str:
    if isinstance(table, ClaudeSettings):
        return table.bridge_url
    return str(getattr(table, "base_url", OFFLINE))


def _secret(table: Any) -> str:
    key = table.bridge_secret if isinstance(table, ClaudeSettings) else getattr(table, "api_key", None)
    return key.get_secret_value() if key is not None else ""


def _key_header(provider: Provider, key: str) -> Headers:
    name, scheme = provider.auth_header
    return ((name, scheme + key),) if key else ()
