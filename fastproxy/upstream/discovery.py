"""Which models the providers have, known without asking: a cache that renews itself in the background.

Laws: reading never waits; nothing is asked before the server listens; a provider that does not answer keeps
what was found for a few rounds, because a blip must not empty a client's list.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastproxy.providers.contract import Listing, Provider
from fastproxy.types import Deployment, Json
from fastproxy.wire.openai.models import ModelInfo

if TYPE_CHECKING:
    import httpx

FIRST_SECONDS = 0.3
"""From the start of the app to the first question: the server listens by then, and answers first."""
FRESH_SECONDS = 60.0
RETRY_SECONDS = 5.0
"""A provider that did not answer is asked again so soon: its user may just be starting it."""
PROBE_SECONDS = 2.0
KEPT_ROUNDS = 3


@dataclass(slots=True)
class _Place:
    """One provider, and what it said last."""

    listing: Listing
    deployment: Deployment
    models: tuple[ModelInfo, ...] = ()
    state: Json = field(default_factory=dict)
    fault: str = ""
    failures: int = 0
    asked_at: float = float("-inf")
    known: dict[tuple[str, int], ModelInfo] = field(default_factory=dict)
    client: httpx.AsyncClient | None = None
    task: asyncio.Task[None] | None = None

    def is_due(self, now: float) -> bool:
        """Whether it should be asked again."""
        return self.task is None and now - self.asked_at >= (RETRY_SECONDS if self.fault else FRESH_SECONDS)


class Discovery:
    """Asks the providers that can be asked. Must be closed."""

    def __init__(
        self,
        deployments: Mapping[str, Deployment],
        providers: Mapping[str, Provider],
        *,
        probe_seconds: float = PROBE_SECONDS,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._probe_seconds, self._now, self._sleep = probe_seconds, now, sleep
        self._places = {
            name: _Place(listing, deployment)
            for name, deployment in deployments.items()
            if deployment.base_url and (listing := providers[deployment.kind].listing)
        }
        self._first: asyncio.Task[None] | None = None
        self._open = False

    def __repr__(self) -> str:
        return f"<Discovery of {','.join(self._places)}>"

    def start(self) -> None:
        """Begins with the first round in the background. Needs a running loop."""
        self._first = asyncio.create_task(self._begin())

    def models(self, provider: str) -> tuple[ModelInfo, ...]:
        """What was found, under the provider's own names; has it renewed where that is due."""
        place = self._places.get(provider)
        self._renew()
        return place.models if place else ()

    def fault(self, provider: str) -> str:
        """Why this provider does not answer, with the remedy; "" where it does, or was not asked yet."""
        place = self._places.get(provider)
        self._renew()
        return place.fault if place else ""

    def state(self, provider: str) -> Json:
        """What this provider last told of its own state."""
        place = self._places.get(provider)
        return place.state if place and not place.fault else {}

    def watched(self) -> dict[str, Json | None]:
        """The state of each provider that is asked all the time; None where it does not answer."""
        return {
            name: (place.state or None) if not place.fault else None
            for name, place in self._places.items()
            if place.listing.watch_seconds
        }

    async def refresh(self) -> None:
        """Asks all providers now; returns when they have answered, or did not within their time."""
        for place in self._places.values():
            if place.task is None:
                self._ask(place)
        await asyncio.gather(*(place.task for place in self._places.values() if place.task))

    async def aclose(self) -> None:
        """Ends the background work."""
        self._open = False
        tasks = [self._first, *(place.task for place in self._places.values())]
        running = [task for task in tasks if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for place in self._places.values():
            if place.client is not None:
                await place.client.aclose()
                place.client = None

    async def _begin(self) -> None:
        await self._sleep(FIRST_SECONDS)
        self._open = True
        self._renew()
        await asyncio.gather(
            *(self._watch(place) for place in self._places.values() if place.listing.watch_seconds)
        )

    async def _watch(self, place: _Place) -> None:
        while True:
            await self._sleep(place.listing.watch_seconds)
            if place.task is None:
                self._ask(place)

    def _renew(self) -> None:
        if not self._open:
            return
        now = self._now()
        for place in self._places.values():
            if place.is_due(now):
                self._ask(place)

    def _ask(self, place: _Place) -> None:
        place.task = asyncio.create_task(self._look(place))

    async def _look(self, place: _Place) -> None:
        try:
            await self._survey(place)
        finally:
            place.asked_at, place.task = self._now(), None

    async def _survey(self, place: _Place) -> None:
        probe, survey = await asyncio.to_thread(_import)  # takes a quarter of a second
        try:
            if place.client is None:
                place.client = await asyncio.to_thread(probe.open_client, place.deployment.base_url)
            found = await survey.survey(
                place.client, place.listing, place.deployment, place.known, self._probe_seconds
            )
        except probe.Unreachable as error:
            place.fault = survey.in_words(place.listing, place.deployment, error)
            place.failures += 1
            if place.failures >= KEPT_ROUNDS or error.refused:
                place.models = ()
        else:
            place.models, place.fault, place.failures = found.models, "", 0
            place.state = found.state
            place.known = {
                (model.id, model.created): model for model in found.models if model.context_length is not None
            }


def _import() -> tuple[Any, Any]:
    from fastproxy.upstream import probe, survey

    return probe, survey
