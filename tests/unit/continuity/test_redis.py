"""The store in Redis, against a real one where the machine has it."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastproxy.continuity import Continuity, open_store
from fastproxy.continuity.redis import SOCKET_SECONDS
from fastproxy.types import Caller, ChatRequest
from fastproxy.wire.events import Carry

ALICE = Caller("alice", "scope-a")
REQUEST = ChatRequest("m", ({"role": "assistant", "content": None, "tool_calls": [{"id": "call_1"}]},))
SIGNATURE = Carry("gemini.signature", "call_1", "sig")


class Redis:
    """A redis-server of our own on a free port."""

    def __init__(self, directory: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(directory)]
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), *options], stdout=subprocess.DEVNULL
        )
        self._wait_until_ready()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait(10)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(5) == b"+PONG":
                        return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("redis-server did not start")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = Redis(tmp_path)
    yield server
    server.stop()


async def test_what_was_kept_comes_back_in_another_process_and_expires(redis: Redis) -> None:
    writer, reader = Continuity(open_store(redis.url, 60)), Continuity(open_store(redis.url, 60))
    await writer.keep(ALICE, [SIGNATURE])
    restored = await reader.restore(REQUEST, ALICE)
    assert restored.recalled == {("gemini.signature", "call_1"): "sig"}
    assert (writer.failures, reader.failures) == (0, 0)
    await writer.aclose()
    await reader.aclose()


async def test_redis_lets_a_value_expire(redis: Redis) -> None:
    memory = Continuity(open_store(redis.url, 0.001))
    await memory.keep(ALICE, [SIGNATURE])
    deadline = time.monotonic() + 5
    while (await memory.restore(REQUEST, ALICE)).recalled:
        assert time.monotonic() < deadline
    assert memory.failures == 0
    await memory.aclose()


async def test_a_redis_that_restarted_is_used_again(redis: Redis, tmp_path: Path) -> None:
    memory = Continuity(open_store(redis.url, 60))
    await memory.keep(ALICE, [SIGNATURE])
    redis.stop()
    assert await memory.restore(REQUEST, ALICE) is REQUEST
    assert memory.failures == 1
    redis.process = subprocess.Popen(
        ["redis-server", "--port", str(redis.port), "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    redis._wait_until_ready()
    await memory.keep(ALICE, [SIGNATURE])
    assert (await memory.restore(REQUEST, ALICE)).recalled
    assert memory.failures == 1
    await memory.aclose()


async def test_a_frozen_redis_holds_a_request_for_a_bounded_time(redis: Redis) -> None:
    memory = Continuity(open_store(redis.url, 60))
    await memory.keep(ALICE, [SIGNATURE])
    redis.process.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    assert await memory.restore(REQUEST, ALICE) is REQUEST
    assert time.monotonic() - start < 5 * SOCKET_SECONDS
    assert memory.failures == 1
    redis.process.send_signal(signal.SIGCONT)
    await memory.aclose()


async def test_without_redis_the_request_goes_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    memory = Continuity(open_store(f"redis://127.0.0.1:{port}", 60))
    await memory.keep(ALICE, [SIGNATURE])
    assert await memory.restore(REQUEST, ALICE) is REQUEST
    assert memory.failures == 2
    await memory.aclose()


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ValueError, match=r"fastproxy\[redis\]"):
        open_store("redis://127.0.0.1:6379", 60)
