"""/metrics of a running proxy: of one worker, and of two while they work and after one is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from testkit.claude import ClaudeProxy, fake_cli
from testkit.claude import until as until_within
from testkit.exposition import Samples
from testkit.mock import SSE_HEADERS, MockUpstream
from testkit.process import descendants
from testkit.proxy import FastproxyProcess
from testkit.vertex import credentials, vertex_table
from tests.integration.conftest import KEY, KEYS, PROVIDERS
from tests.integration.test_lifecycle import WORKERS, is_worker
from tests.integration.test_openai_sdk import chunk
from tests.integration.test_streams import CHAT, ask

STREAMS = 12
"""So many that both of two workers have some (chance of failing: 1 in 2,000)."""


def until(condition: Callable[[], bool]) -> None:
    """Returns when it is so; a busy machine gets its time."""
    until_within(condition, 40)


def scrape(proxy: FastproxyProcess) -> Samples:
    """On a connection of its own: any of the workers answers. One that is killed resets who waits for it."""
    headers = {"authorization": f"Bearer {KEY}"}
    try:
        answer = httpx.get(f"{proxy.url}/metrics", headers=headers, trust_env=False, timeout=10)
    except httpx.TransportError:
        answer = httpx.get(f"{proxy.url}/metrics", headers=headers, trust_env=False, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return Samples(answer.text)


def total(samples: Samples, name: str) -> float:
    return sum(value for _, value in samples.all(name))


def test_a_token_that_was_fetched_has_an_age_and_an_end(mock: MockUpstream) -> None:
    upstream = mock.url
    table = vertex_table(upstream)
    with FastproxyProcess(KEYS + table, files=credentials(upstream)) as proxy:
        until(lambda: "fastproxy_credential_age_seconds" in scrape(proxy).names)
        samples = scrape(proxy)
        assert 0 <= samples.value("fastproxy_credential_age_seconds", provider="vertex") < 60
        assert samples.value("fastproxy_credential_expires_in_seconds", provider="vertex") > 60


@pytest.mark.slow
def test_the_bridges_pool_is_told(mock_process: MockUpstream) -> None:
    cli = fake_cli()
    if cli.missing:
        pytest.skip(cli.missing)
    with ClaudeProxy(cli, mock_process.url, config=KEYS) as proxy:

        def idle() -> float:
            return scrape(proxy).value("fastproxy_bridge_processes", provider="claude", state="idle")

        until(lambda: idle() == proxy.pool_size)
        samples = scrape(proxy)
        assert samples.value("fastproxy_bridge_up", provider="claude") == 1
        assert samples.value("fastproxy_bridge_processes", provider="claude", state="busy") == 0
        assert samples.value("fastproxy_bridge_waiting", provider="claude") == 0
        assert samples.value("fastproxy_bridge_spawned", provider="claude") >= proxy.pool_size


@pytest.fixture
def two_workers(mock_process: MockUpstream, tmp_path: Path) -> Iterator[FastproxyProcess]:
    config = WORKERS.format(folder=tmp_path) + PROVIDERS.format(url=mock_process.url, key=KEY)
    with FastproxyProcess(config) as proxy:
        until(lambda: len(_workers(proxy)) == 2 and scrape(proxy).value("fastproxy_workers") == 2)
        yield proxy


@pytest.mark.slow
def test_two_workers_tell_of_both_and_a_killed_ones_counts_stay(
    two_workers: FastproxyProcess, mock: MockUpstream
) -> None:
    proxy = two_workers
    headers = {"authorization": f"Bearer {KEY}"}
    for _ in range(10):
        body = ask("demo-echo", stream=False)
        assert httpx.post(f"{proxy.url}{CHAT}", json=body, headers=headers, trust_env=False).is_success
    until(lambda: total(scrape(proxy), "fastproxy_requests_total") == 10)
    first = chunk({"role": "assistant", "content": "one"})
    mock.script({"chunks": [first, {"text": first, "gate": "never"}], "headers": SSE_HEADERS})
    reading: list[Iterator[bytes]] = []
    with ExitStack() as clients:
        for _ in range(STREAMS):
            client = clients.enter_context(httpx.Client(headers=headers, trust_env=False, timeout=20))
            stream = client.stream("POST", f"{proxy.url}{CHAT}", json=ask())
            reading.append(clients.enter_context(stream).iter_raw())
            next(reading[-1])
        until(lambda: all(_in_flight(proxy) == STREAMS for _ in range(8)))  # whichever worker is asked

        victim = _workers(proxy)[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: 0 < _in_flight(proxy) < STREAMS)
        until(lambda: _deaths(proxy) == 1)
        left = _in_flight(proxy)
        until(lambda: scrape(proxy).value("fastproxy_workers") == 2)
        assert victim not in _workers(proxy)
        assert _in_flight(proxy) == left
        samples = scrape(proxy)
        assert total(samples, "fastproxy_requests_total") == 10
        assert total(samples, "gen_ai_client_operation_duration_seconds_count") == 10
        assert len(samples.labels("fastproxy_in_flight")) == 1


def _workers(proxy: FastproxyProcess) -> list[int]:
    return [pid for pid in descendants(proxy.pid) if is_worker(pid)]


def _in_flight(proxy: FastproxyProcess) -> float:
    return scrape(proxy).value("fastproxy_in_flight")


def _deaths(proxy: FastproxyProcess) -> float:
    return scrape(proxy).value("fastproxy_worker_deaths_total")
