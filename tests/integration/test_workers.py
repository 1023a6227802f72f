"""Two workers, one of which is killed: its own clients are cut off, and nobody else notices."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from testkit.mock import MockUpstream
from testkit.process import descendants
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY, PROVIDERS
from tests.integration.raw import RawClient
from tests.integration.test_lifecycle import END, WORKERS, is_worker, until
from tests.integration.test_openai_sdk import chunk
from tests.integration.test_streams import CHAT, ask

MOST_CLIENTS = 40


def workers(proxy: FastproxyProcess) -> set[int]:
    return {pid for pid in descendants(proxy.pid) if is_worker(pid)}


def listens(pid: int, port: int) -> bool:
    """Whether this process listens at the port."""
    return any(state == "0A" and local == port for local, _, state in sockets(pid))


def serves(pid: int, client: RawClient) -> bool:
    """Whether this process has the other end of the client's connection."""
    mine = client.socket.getsockname()[1]
    return any(remote == mine for _, remote, _ in sockets(pid))


def sockets(pid: int) -> Iterator[tuple[int, int, str]]:
    """(local port, remote port, state) of the process's TCP sockets."""
    open_files = set()
    with suppress(FileNotFoundError):  # a file, or the process, that is gone
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                open_files.add(str(entry.readlink()))
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    for fields in map(str.split, lines):
        if f"socket:[{fields[9]}]" in open_files:
            yield int(fields[1].split(":")[1], 16), int(fields[2].split(":")[1], 16), fields[3]


class NewClients:
    """Asks again and again, each time over a connection of its own, until it is told to stop."""

    def __init__(self, url: str) -> None:
        self._url, self._ended = url, threading.Event()
        self.good, self.cut_off, self.refused = 0, 0, 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> NewClients:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                status = httpx.post(
                    f"{self._url}{CHAT}",
                    json=ask("demo-echo", stream=False),
                    headers={"authorization": f"Bearer {KEY}"},
                    trust_env=False,
                    timeout=20,
                ).status_code
            except httpx.TransportError:
                self.cut_off += 1
            else:
                self.good += status == 200
                self.refused += status != 200


@pytest.mark.slow
def test_of_a_killed_worker_only_its_own_clients_notice(
    mock_process: MockUpstream, mock: MockUpstream, tmp_path: object
) -> None:
    """A connection is one worker's from the moment it is made, its wait in the socket's queue included; the
    system gives new ones to the workers that are left. So at most the one request that is being asked in the
    moment of the death fails, and none after it."""
    mock.script(
        {"chunks": [chunk({"role": "assistant", "content": "one"}), {"text": END[0], "gate": "go"}, END[1]]},
        method="POST",
    )
    config = WORKERS.format(folder=tmp_path) + PROVIDERS.format(url=mock_process.url, key=KEY)
    with FastproxyProcess(config) as proxy, ExitStack() as stack:
        until(lambda: sum(listens(pid, proxy.port) for pid in workers(proxy)) == 2, 15)
        victim, survivor = sorted(workers(proxy))
        clients: list[RawClient] = []

        def of(pid: int) -> list[RawClient]:
            return [client for client in clients if serves(pid, client)]

        while len(of(victim)) < 2 or len(of(survivor)) < 2:
            assert len(clients) < MOST_CLIENTS, "one worker gets no connections"
            clients.append(stack.enter_context(RawClient(proxy.url, timeout=20)))
            clients[-1].post(CHAT, ask(), KEY)
            clients[-1].read_until(b"one")
        lost, kept = of(victim), of(survivor)
        assert len(lost) + len(kept) == len(clients)
        new = stack.enter_context(NewClients(proxy.url))
        until(lambda: new.good > 3, 10)
        os.kill(victim, signal.SIGKILL)
        for client in lost:
            assert b"[DONE]" not in what_comes(client)
        until(more_than(new, new.good + 5), 20)  # while there is one worker
        until(
            lambda: len(workers(proxy)) == 2 and all(listens(pid, proxy.port) for pid in workers(proxy)), 20
        )
        (respawned,) = workers(proxy) - {survivor}
        assert respawned != victim
        mock.release("go", MOST_CLIENTS)
        for client in kept:
            client.read_until(b"data: [DONE]")
        until(lambda: answers(proxy, respawned), 20)
        assert (new.refused, new.cut_off) in ((0, 0), (0, 1))
        assert "a worker died and is replaced" in proxy.output()


def more_than(new: NewClients, count: int) -> Callable[[], bool]:
    return lambda: new.good > count


def what_comes(client: RawClient) -> bytes:
    """All that comes until the connection breaks or ends."""
    try:
        return client.read_to_end()
    except ConnectionError:
        return client.seen


def answers(proxy: FastproxyProcess, pid: int) -> bool:
    """Whether a new connection went to this worker, and was answered."""
    with RawClient(proxy.url, timeout=20) as client:
        client.post(CHAT, ask("demo-echo"), KEY)
        client.read_until(b"data: [DONE]")
        return serves(pid, client)
