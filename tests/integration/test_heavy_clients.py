"""What agents do to a proxy: system prompts as long as a book's chapter, and many streams at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from testkit.mock import SSE_HEADERS, MockUpstream
from tests.integration.conftest import KEY
from tests.integration.every_provider import ASKED, PROVIDERS, ProxyOf, proxies
from tests.integration.test_openai_sdk import chunk

pytestmark = pytest.mark.slow
Json = dict[str, Any]

STREAMS = 20
WORDS = 10
RULES = "".join(f"Rule {number}: never say “{number}” in vain.\n" for number in range(2500))
"""Some 25,000 tokens."""
MEGABYTE = "0123456789abcdef" * 65_536


@pytest.fixture(scope="module")
def proxy_of(mock_process: MockUpstream) -> Iterator[ProxyOf]:
    with proxies(mock_process.url) as made:
        yield made


@pytest.mark.parametrize("system", [RULES, MEGABYTE], ids=["25000_tokens", "a_megabyte"])
@pytest.mark.parametrize("name", ASKED)
def test_a_long_system_prompt_arrives_whole(
    proxy_of: ProxyOf, mock: MockUpstream, name: str, system: str
) -> None:
    provider = PROVIDERS[name]
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "hello"}]
    answer = httpx.post(
        f"{proxy_of(name).url}/v1/chat/completions",
        json={"model": provider.model, "messages": messages, "stream": True},
        headers={"authorization": f"Bearer {KEY}"},
        trust_env=False,
        timeout=20,
    )
    assert answer.text.endswith("data: [DONE]\n\n"), answer.text[:500]
    [sent] = provider.sent(mock)
    assert system in texts(sent.json())


def texts(value: Any) -> list[str]:
    """All texts of a document."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in inner for text in texts(item)]


async def test_twenty_streams_of_one_client_run_side_by_side_and_never_mix(
    proxy_of: ProxyOf, mock: MockUpstream
) -> None:
    for number in range(STREAMS):
        words = [f"{number}:", *(f"{number}-{word} " for word in range(WORDS))]
        first, *others = [chunk({"content": word}, id=f"up-{number}") for word in words]
        gated = [{"text": piece, "gate": "go"} for piece in others]
        ends = [chunk({}, "stop", id=f"up-{number}"), "data: [DONE]\n\n"]
        reply = {"chunks": [first, *gated, *ends], "headers": SSE_HEADERS}
        mock.script(reply, model=f"deepseek-{number}", path="/chat/completions")
    async with openai.AsyncOpenAI(
        base_url=f"{proxy_of('deepseek').url}/v1", api_key=KEY, max_retries=0
    ) as client:
        began: asyncio.Queue[int] = asyncio.Queue()
        running = [asyncio.create_task(listen(client, number, began)) for number in range(STREAMS)]
        begun = {await asyncio.wait_for(began.get(), 20) for _ in range(STREAMS)}
        assert begun == set(range(STREAMS))  # each has begun while none could end
        mock.release("go", STREAMS * WORDS)
        answers = await asyncio.wait_for(asyncio.gather(*running), 20)
    assert answers == [
        f"{number}:" + "".join(f"{number}-{word} " for word in range(WORDS)) for number in range(STREAMS)
    ]


async def listen(client: openai.AsyncOpenAI, number: int, began: asyncio.Queue[int]) -> str:
    """The answer's text, all of it under the name and the id that belong to it; tells when it has begun."""
    create: Any = client.chat.completions.create
    messages = [{"role": "user", "content": "hello"}]
    text = ""
    async for part in await create(model=f"deepseek-{number}", messages=messages, stream=True):
        if not text:
            began.put_nowait(number)
        assert (part.model, part.id) == (f"deepseek-{number}", f"up-{number}")
        text += part.choices[0].delta.content or ""
    return text
