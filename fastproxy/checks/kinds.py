"""Reaching one provider, one function a kind: what is asked is free, and what was not verified is said."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from fastproxy.checks.claude import check_claude
from fastproxy.checks.findings import Finding, State
from fastproxy.config import BridgeLaunch, ProviderSettings
from fastproxy.errors import UpstreamError
from fastproxy.providers.contract import Listing, Provider
from fastproxy.routing import ProviderEntry
from fastproxy.upstream.google_auth import GoogleCredential
from fastproxy.upstream.probe import Unreachable, ask, open_client, origin
from fastproxy.upstream.survey import Survey, explained, survey
from fastproxy.wire.openai.models import ModelInfo
from fastproxy.wire.vertex import vertex_host

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

QUESTION_SECONDS = 5.0
TOKEN_SECONDS = 15.0
OLDEST_OLLAMA = (0, 5, 0)
"""Structured outputs (`format` with a schema) came with it; older servers ignore the schema silently."""
_SHOWN_MODELS = 12


@dataclass(frozen=True, slots=True)
class Target:
    """One provider that is on."""

    entry: ProviderEntry
    table: ProviderSettings
    provider: Provider
    credential: GoogleCredential | None = None
    launch: BridgeLaunch | None = None
    """How a bridge to the claude CLI is started here."""

    @property
    def has_key(self) -> bool:
        """Whether requests carry a static credential."""
        return bool(self.entry.template.headers)


@dataclass(frozen=True, slots=True)
class Reached:
    """What was found, and the provider's models where it told them (None: not known)."""

    finding: Finding
    models: tuple[ModelInfo, ...] | None = None


Check = Callable[[Target], Awaitable[Reached]]


async def check_demo(target: Target) -> Reached:
    """It lives in this process."""
    return _ok(target, f"offline, {_models(len(target.entry.models))}")


async def check_listing(target: Target) -> Reached:
    """A server with a list of models behind its key: OpenAI-compatible ones, DeepSeek, Anthropic."""
    listing = target.provider.listing
    if listing is None:
        return Reached(Finding(target.entry.name, State.NOTE, "cannot be checked without asking a model"))
    async with _client(target) as client:
        found = await _survey(target, listing, client)
    key = "key accepted" if target.has_key else "answers without a key"
    return _ok(target, f"{key}, {_models(len(found.models))}, {_ms(found.seconds)}", found.models)


async def check_ollama(target: Target) -> Reached:
    """Version, models, and the context that each will be used with."""
    listing = target.provider.listing
    assert listing is not None  # noqa: S101 - the row has one
    async with _client(target) as client:
        try:
            version = await _ollama_version(target, client)
        except Unreachable as error:
            raise explained(listing, target.entry.template, error) from None
        found = await _survey(target, listing, client)
    if not found.models:
        return Reached(
            Finding(
                target.entry.name,
                State.NOTE,
                f"Ollama {version} has no models",
                "fetch one: `ollama pull llama3.2`",
            ),
            (),
        )
    text = f"Ollama {version}, {_models(len(found.models))}, {_ms(found.seconds)}"
    reached = _ok(target, text, found.models)
    return replace(reached, finding=replace(reached.finding, details=_details(found.models)))


async def check_vertex(target: Target) -> Reached:
    """Google's token and project, and whether the host answers; a model cannot be asked for free."""
    options = target.entry.template.options
    location = str(options["location"])
    credential = await _google(target.credential) if target.credential else "API key is set"
    base = target.entry.template.base_url or vertex_host(location)
    client = await asyncio.to_thread(open_client, base)
    async with client:
        answer = await ask(client, base + "/", QUESTION_SECONDS)
    text = f"{credential}, {origin(base)} answers in {_ms(answer.seconds)} (location {location})"
    unverified = "not verified: that this credential may use Vertex AI (there is no free question)"
    reached = _ok(target, text)
    return replace(reached, finding=replace(reached.finding, details=(unverified,)))


async def check_claude_cli(target: Target) -> Reached:
    """The CLI behind its bridge. One that is only found here is no fault where nobody is logged in."""
    name = target.entry.name
    try:
        return Reached(await check_claude(name, target.entry.template, target.launch))
    except Unreachable as error:
        wanted = target.table.enabled or target.entry.template.base_url
        return Reached(Finding(name, State.FAULT if wanted else State.NOTE, error.what, error.remedy))


CHECKS: Mapping[str, Check] = {
    "demo": check_demo,
    "ollama": check_ollama,
    "vertex": check_vertex,
    "claude": check_claude_cli,
}
"""By kind of provider; the others have a list of models."""


async def reach(target: Target) -> Reached:
    """What this provider's check found; its faults are findings too."""
    try:
        return await CHECKS.get(target.table.kind, check_listing)(target)
    except Unreachable as error:
        # Ollama is on without being configured, and who does not use it need not run it
        unused = target.table.enabled is None and error.refused
        state = State.OFF if unused else State.FAULT
        return Reached(Finding(target.entry.name, state, error.what, error.remedy))
    except UpstreamError as error:  # Google's token: the remedy is in the message
        return Reached(Finding(target.entry.name, State.FAULT, error.message.removeprefix("Vertex AI: ")))


@asynccontextmanager
async def _client(target: Target) -> AsyncIterator[httpx.AsyncClient]:
    client = await asyncio.to_thread(open_client, target.entry.template.base_url)
    async with client:
        yield client


async def _survey(target: Target, listing: Listing, client: httpx.AsyncClient) -> Survey:
    return await survey(client, listing, target.entry.template, {}, QUESTION_SECONDS)


async def _ollama_version(target: Target, client: httpx.AsyncClient) -> str:
    place = target.entry.template
    answer = await ask(client, place.base_url + "/api/version", QUESTION_SECONDS, headers=place.headers)
    version = _version_in(answer.body) if answer.status == 200 else ""
    if not version:
        raise Unreachable(
            f"{origin(place.base_url)} is no Ollama server: /api/version answered {answer.status}",
            f"set providers.{target.entry.name}.base_url to the root of an Ollama server "
            "(http://127.0.0.1:11434, without /v1), or update Ollama",
        )
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if (0, 0, 0) < numbers < OLDEST_OLLAMA:  # a build from source calls itself 0.0.0
        oldest = ".".join(map(str, OLDEST_OLLAMA))
        raise Unreachable(
            f"Ollama {version} is too old, {oldest} or newer is needed",
            "update it: https://ollama.com/download",
        )
    return version


def _version_in(body: bytes) -> str:
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    version = answer.get("version") if isinstance(answer, dict) else None
    return version[:40] if isinstance(version, str) and version.isprintable() else ""


async def _google(credential: GoogleCredential) -> str:
    began = time.monotonic()
    try:
        async with asyncio.timeout(TOKEN_SECONDS):
            await credential.ensure_headers()
    except TimeoutError:
        raise Unreachable(
            f"no token from Google within {TOKEN_SECONDS:g} s",
            "check the network, HTTPS_PROXY, and the token_uri of the credentials file",
        ) from None
    source = credential.status()["source"]
    return f"token from {source} in {_ms(time.monotonic() - began)}, project {credential.project}"


def _details(models: tuple[ModelInfo, ...]) -> tuple[str, ...]:
    width = max(len(model.id) for model in models)
    lines = [
        f"{model.id:<{width}}  {_context(model)}  {' '.join(sorted(model.capabilities or ()))}".rstrip()
        for model in models[:_SHOWN_MODELS]
    ]
    more = len(models) - _SHOWN_MODELS
    return (*lines, *([f"and {more} more"] if more > 0 else []))


def _context(model: ModelInfo) -> str:
    return f"context {model.context_length:>7}" if model.context_length else "context unknown"


def _ok(target: Target, text: str, models: tuple[ModelInfo, ...] | None = None) -> Reached:
    return Reached(Finding(target.entry.name, State.OK, text), models)


def _models(count: int) -> str:
    return "1 model" if count == 1 else f"{count} models"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms"
