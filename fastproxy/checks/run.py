"""All checks of one configuration, the slow ones at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from fastproxy.checks.findings import Finding, Group, State
from fastproxy.checks.kinds import Reached, Target, reach
from fastproxy.checks.listen import check_listen
from fastproxy.checks.named import check_names
from fastproxy.config import BridgeLaunch, Settings
from fastproxy.providers import PROVIDERS
from fastproxy.routing import ProviderEntry, Router
from fastproxy.upstream.google_auth import GoogleCredential
from fastproxy.wiring import google_credentials, provider_entries, route_rules

TOTAL_SECONDS = 25.0
"""What one provider may take, whatever happens."""


async def check_all(
    settings: Settings, off_reasons: Mapping[str, str], source: str, launch: BridgeLaunch | None = None
) -> list[Group]:
    """What was found, group by group. `source` tells where the settings came from, `launch` how a bridge to
    the claude CLI is started here."""
    entries = provider_entries(settings, off_reasons)
    credentials = google_credentials(settings, off_reasons)
    listening = asyncio.create_task(check_listen(settings))
    reached = await asyncio.gather(*(_check(settings, entry, credentials, launch) for entry in entries))
    router = Router(
        entries,
        rules=route_rules(settings),
        aliases=settings.aliases,
        default_model=settings.server.default_model,
        neutral_names=settings.server.neutral_names,
    )
    found = {entry.name: result.models for entry, result in zip(entries, reached, strict=True)}
    return [
        Group("setup", [Finding("configuration", State.OK, source), await listening]),
        Group("providers", [result.finding for result in reached]),
        Group("models", list(check_names(settings, router, found))),
    ]


async def _check(
    settings: Settings,
    entry: ProviderEntry,
    credentials: Mapping[str, GoogleCredential],
    launch: BridgeLaunch | None,
) -> Reached:
    if entry.off_reason:
        return Reached(Finding(entry.name, State.OFF, entry.off_reason))
    table = settings.providers[entry.name]
    target = Target(entry, table, PROVIDERS[table.kind], credentials.get(entry.name), launch)
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            return await reach(target)
    except TimeoutError:
        text = f"the check did not end within {TOTAL_SECONDS:g} s"
        return Reached(Finding(entry.name, State.FAULT, text, "check base_url and the network"))
