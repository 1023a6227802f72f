"""Discovery over real sockets: what is found, what is kept, and that nobody ever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from fastproxy.providers import PROVIDERS
from fastproxy.types import Deployment
from fastproxy.upstream.discovery import FRESH_SECONDS, KEPT_ROUNDS, RETRY_SECONDS, Discovery
from testkit.mock import CLOSES, NEVER_ANSWERS, MockUpstream
from testkit.process import free_port

SHOWN = {
    "capabilities": ["completion", "tools", "vision", "thinking"],
    "model_info": {"general.architecture": "llama", "llama.context_length": 131_072},
}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def ollama(url: str) -> Deployment:
    return Deployment("ollama", "ollama", "", url, options={"num_ctx": 32_768})


@asynccontextmanager
async def discovery(
    *deployments: Deployment, now: Callable[[], float] = lambda: 0.0, probe_seconds: float = 2.0
) -> AsyncIterator[Discovery]:
    made = Discovery(
        {place.provider: place for place in deployments}, PROVIDERS, now=now, probe_seconds=probe_seconds
    )
    try:
        yield made
    finally:
        await made.aclose()


async def settled(made: Discovery) -> None:
    """Returns when nothing is being asked."""
    while running := [place.task for place in made._places.values() if place.task]:
        await asyncio.gather(*running)


async def test_ollamas_models_come_with_their_context_and_abilities(mock: MockUpstream) -> None:
    mock.script({"json": SHOWN}, path="/api/show")
    async with discovery(ollama(mock.url)) as made:
        await made.refresh()
        (model,) = made.models("ollama")
    assert (model.id, model.owned_by, model.context_length) == ("llama3.2:latest", "ollama", 32_768)
    assert model.capabilities == {"tools", "vision", "reasoning"}
    assert model.created > 1_700_000_000


@pytest.mark.parametrize("reply", [{"status": 404, "body": ""}, {"body": "<html>"}, CLOSES])
async def test_a_model_without_details_is_listed_without(
    mock: MockUpstream, reply: dict[str, object]
) -> None:
    mock.script(reply, path="/api/show")
    async with discovery(ollama(mock.url)) as made:
        await made.refresh()
        (model,) = made.models("ollama")
    assert (model.context_length, model.capabilities) == (None, None)


async def test_details_are_asked_for_once(mock: MockUpstream) -> None:
    mock.script({"json": SHOWN}, path="/api/show")
    async with discovery(ollama(mock.url)) as made:
        await made.refresh()
        await made.refresh()
        assert made.models("ollama")[0].context_length == 32_768
    assert [request.path for request in mock.requests()].count("/api/show") == 1


async def test_details_of_very_many_models_are_bounded(mock: MockUpstream) -> None:
    mock.script({"json": {"models": [{"name": f"m{index}"} for index in range(100)]}}, path="/api/tags")
    mock.script({"json": SHOWN}, path="/api/show")
    async with discovery(ollama(mock.url)) as made:
        await made.refresh()
        assert len(made.models("ollama")) == 100
    assert [request.path for request in mock.requests()].count("/api/show") == 64
    assert mock.stats()["most_in_flight"] <= 4


@pytest.mark.parametrize(
    ("kind", "base", "path"),
    [("openai", "/v1", "/v1/models"), ("deepseek", "", "/models"), ("anthropic", "", "/v1/models")],
)
async def test_lists_of_models_are_asked_for_with_the_key(
    mock: MockUpstream, kind: str, base: str, path: str
) -> None:
    place = Deployment("box", kind, "", mock.url + base, headers=(("x-key", "sk"),))
    async with discovery(place) as made:
        await made.refresh()
        assert [model.id for model in made.models("box")] == ["mock-1", "mock-2"]
    (request,) = mock.requests()
    assert (request.method, request.path, request.header("x-key")) == ("GET", path, "sk")


async def test_an_ollama_that_is_not_running_says_so_with_the_remedy() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with discovery(ollama(url)) as made:
        assert made.fault("ollama") == ""
        await made.refresh()
        assert made.fault("ollama") == f"Ollama is not running at {url} (start it: `ollama serve`)"
        assert made.models("ollama") == ()


async def test_nothing_is_asked_before_the_start(mock: MockUpstream) -> None:
    async with discovery(ollama(mock.url)) as made:
        assert made.models("ollama") == ()
        await settled(made)
    assert mock.requests() == []


async def test_after_the_start_it_is_renewed_when_it_is_read_and_old(mock: MockUpstream) -> None:
    clock = Clock()
    async with discovery(ollama(mock.url), now=clock) as made:
        await made._begin()
        await settled(made)
        assert len(made.models("ollama")) == 1
        asked = len(mock.requests())
        clock.time += FRESH_SECONDS - 1
        made.models("ollama")
        await settled(made)
        assert len(mock.requests()) == asked
        clock.time += 1
        made.models("ollama")
        await settled(made)
        assert len(mock.requests()) > asked


async def test_a_provider_that_did_not_answer_is_asked_again_sooner(mock: MockUpstream) -> None:
    clock = Clock()
    mock.script({"status": 503, "body": ""}, {"json": {"models": [{"name": "x"}]}}, path="/api/tags")
    async with discovery(ollama(mock.url), now=clock) as made:
        await made._begin()
        await settled(made)
        assert "503" in made.fault("ollama")
        clock.time += RETRY_SECONDS
        made.models("ollama")
        await settled(made)
        assert made.fault("ollama") == ""
        assert [model.id for model in made.models("ollama")] == ["x"]


async def test_a_blip_does_not_empty_the_list_but_a_long_silence_does(mock: MockUpstream) -> None:
    async with discovery(ollama(mock.url)) as made:
        await made.refresh()
        mock.script({"status": 500, "body": ""})
        for left in range(KEPT_ROUNDS - 1, -1, -1):
            await made.refresh()
            assert bool(made.models("ollama")) == bool(left)
            assert made.fault("ollama")


async def test_a_provider_that_hangs_holds_up_neither_the_others_nor_a_reader(mock: MockUpstream) -> None:
    mock.script(NEVER_ANSWERS, path="/v1/models")
    slow = Deployment("slow", "openai", "", f"{mock.url}/v1")
    async with discovery(ollama(mock.url), slow, probe_seconds=0.5) as made:
        task = asyncio.create_task(made.refresh())
        await asyncio.sleep(0)
        assert made.models("slow") == ()
        await task
        assert made.models("ollama")
        assert "did not answer within 0.5 s" in made.fault("slow")


async def test_it_can_be_closed_while_it_asks(mock: MockUpstream) -> None:
    mock.script(NEVER_ANSWERS)
    async with discovery(ollama(mock.url)) as made:
        task = asyncio.create_task(made.refresh())
        await asyncio.to_thread(mock.wait, "received")
    with pytest.raises(asyncio.CancelledError):
        await task
