"""Asks one provider which models it has: the list, and more about each model where the provider tells it.

Heavy, because it imports httpx: imported late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import httpx
import orjson

from fastproxy.errors import UpstreamError
from fastproxy.providers.contract import Listing
from fastproxy.types import Deployment, Headers, Json
from fastproxy.upstream.probe import Answer, Unreachable, ask, origin
from fastproxy.wire.openai.models import ModelInfo

MAX_DETAILS = 64
"""Models that are asked about one by one; those after them are listed without."""
_AT_ONCE = 4

Details = Mapping[tuple[str, int], ModelInfo]
"""What is known from earlier, by name and time of the last change."""


class Survey(NamedTuple):
    """What a provider has: under its own names."""

    models: tuple[ModelInfo, ...]
    seconds: float
    """How long the list took."""
    state: Json = {}  # noqa: RUF012 - read-only, like all JSON
    """What the server tells of itself."""


async def survey(
    client: httpx.AsyncClient,
    listing: Listing,
    deployment: Deployment,
    known: Details,
    seconds: float,
) -> Survey:
    """The provider's models; every question is bounded by `seconds`. Raises Unreachable."""
    answer = await ask(
        client, listing_url(listing, deployment), seconds, headers=(*listing.headers, *deployment.headers)
    )
    models = read_listing(answer, listing, deployment)
    if not listing.add_detail:
        return Survey(models, answer.seconds, listing.state(answer.body) if listing.state else {})
    gate = asyncio.Semaphore(_AT_ONCE)

    async def detailed(model: ModelInfo) -> ModelInfo:
        async with gate:
            return await _detailed(client, listing, deployment, model, seconds)

    new = [model for model in models if (model.id, model.created) not in known][:MAX_DETAILS]
    told = {model.id: model for model in await asyncio.gather(*map(detailed, new))}
    merged = (told.get(model.id) or known.get((model.id, model.created), model) for model in models)
    return Survey(tuple(merged), answer.seconds)


def listing_url(listing: Listing, deployment: Deployment) -> str:
    """Where the list is."""
    return deployment.base_url.removesuffix("/chat/completions") + listing.path


def explained(listing: Listing, deployment: Deployment, error: Unreachable) -> Unreachable:
    """The same fault in the words of a program that the user runs himself."""
    if error.refused and listing.product:
        what = f"{listing.product} is not running at {origin(deployment.base_url)}"
        return Unreachable(what, listing.start, refused=True)
    return error


def in_words(listing: Listing, deployment: Deployment, error: Unreachable) -> str:
    """One line: "Ollama is not running at http://127.0.0.1:11434 (start it: `ollama serve`)"."""
    told = explained(listing, deployment, error)
    return f"{told.what} ({told.remedy})"


def read_listing(answer: Answer, listing: Listing, deployment: Deployment) -> tuple[ModelInfo, ...]:
    """The models in an answer of any status. Raises Unreachable, which names the setting to mend."""
    name = deployment.provider
    path = listing.path.partition("?")[0]
    if listing.trouble and (trouble := listing.trouble(answer.status, answer.body)):
        raise Unreachable(*trouble)
    if answer.status in (401, 403):
        raise Unreachable(
            f"the credential is refused ({answer.status})",
            f"check providers.{name}.api_key, or the variable it comes from",
        )
    if 300 <= answer.status < 400:
        raise Unreachable(
            f"base_url redirects elsewhere ({answer.status})",
            f"set providers.{name}.base_url to the address that it leads to",
        )
    if answer.status == 429 or answer.status >= 500:
        raise Unreachable(f"the server answers {answer.status}", "it has trouble: try again later")
    is_html = "html" in answer.content_type or answer.body.lstrip()[:1] == b"<"
    if answer.status >= 400:
        page = ", an HTML page" if is_html else ""
        raise Unreachable(
            f"there is no {path} at base_url ({answer.status}{page})",
            _BASE_URL_REMEDY.format(name=name, product=listing.product or "an OpenAI-compatible server"),
        )
    try:
        return tuple(replace(model, owned_by=name) for model in listing.parse(answer.body))
    except UpstreamError:
        what = "an HTML page" if is_html else "something else"
        raise Unreachable(
            f"{path} answered with {what} and not with a list of models",
            _BASE_URL_REMEDY.format(name=name, product=listing.product or "an OpenAI-compatible server"),
        ) from None


_BASE_URL_REMEDY = "check providers.{name}.base_url: is that {product}, and is its path right (often …/v1)?"


async def _detailed(
    client: httpx.AsyncClient, listing: Listing, deployment: Deployment, model: ModelInfo, seconds: float
) -> ModelInfo:
    """The model with its detail; without it where that cannot be had."""
    url = deployment.base_url + listing.detail_path
    headers: Headers = (("content-type", "application/json"), *deployment.headers)
    try:
        answer = await ask(client, url, seconds, headers=headers, body=orjson.dumps({"model": model.id}))
        if answer.status != 200 or not listing.add_detail:
            return model
        return listing.add_detail(model, answer.body, deployment)
    except (Unreachable, UpstreamError):
        return model
