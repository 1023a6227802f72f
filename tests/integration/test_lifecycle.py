"""Starting, ending, and what is left behind: nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from testkit.mock import MockUpstream
from testkit.process import Process, descendants
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY, PROVIDERS
from tests.integration.raw import RawClient
from tests.integration.test_openai_sdk import chunk
from tests.integration.test_streams import CHAT, ask

END = [chunk({}, "stop"), "data: [DONE]\n\n"]


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def until(condition: object, seconds: float = 5.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < limit, "it did not come true in time"
        time.sleep(0.02)


def test_sigterm_lets_a_running_stream_finish_refuses_new_ones_and_exits_0(
    mock_process: MockUpstream, mock: MockUpstream
) -> None:
    mock.script(
        {"chunks": [chunk({"role": "assistant", "content": "one"}), {"text": END[0], "gate": "go"}, END[1]]},
        method="POST",
    )
    proxy = FastproxyProcess(PROVIDERS.format(url=mock_process.url, key=KEY))
    with RawClient(proxy.url) as client:
        client.post(CHAT, ask(), KEY)
        client.read_until(b"one")
        proxy.process.send_signal(signal.SIGTERM)
        until(lambda: refuses(proxy.port))
        mock.release("go")
        client.read_until(b"data: [DONE]")
    assert proxy.process.wait(5) == 0
    proxy.stop()


def test_a_stream_that_outlasts_drain_seconds_ends_with_an_error(
    mock_process: MockUpstream, mock: MockUpstream
) -> None:
    mock.script({"chunks": [chunk({"role": "assistant", "content": "one"})], "end": "stall"})
    config = PROVIDERS.format(url=mock_process.url, key=KEY) + "[server]\ndrain_seconds = 0.3\n"
    proxy = FastproxyProcess(config)
    with RawClient(proxy.url) as client:
        client.post(CHAT, ask(), KEY)
        client.read_until(b"one")
        proxy.process.send_signal(signal.SIGTERM)
        seen = client.read_until(b'"code":"draining"')
    assert b"[DONE]" not in seen
    assert proxy.process.wait(6) == 0
    proxy.stop()


def test_an_idle_proxy_ends_at_once(mock_process: MockUpstream) -> None:
    proxy = FastproxyProcess(PROVIDERS.format(url=mock_process.url, key=KEY))
    idle = httpx.Client(trust_env=False)
    assert idle.get(f"{proxy.url}/health/ready").status_code == 200
    began = time.monotonic()
    proxy.stop()
    idle.close()
    assert time.monotonic() - began < 1.5


def test_sigterm_during_the_start_ends_it_with_0(tmp_path: Path) -> None:
    pipe = tmp_path / "key"
    os.mkfifo(pipe)
    keys = f'[{{"name": "app", "key": "file:{pipe}"}}]'
    environment = {"HOME": str(tmp_path), "FASTPROXY_AUTH__KEYS": keys}
    process = Process("fastproxy", ["serve", "--port", "0"], tmp_path, environment)
    with pipe.open("wb"):  # which waits until it reads its key, and lets it wait
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, process.output()


def test_a_taken_port_is_said_and_how_to_choose_another(mock_process: MockUpstream, tmp_path: Path) -> None:
    arguments = ["serve", "--port", str(mock_process.port)]
    process = Process("fastproxy", arguments, tmp_path, {"HOME": str(tmp_path)})
    assert process.wait(10) == 1
    assert f"cannot listen on 127.0.0.1:{mock_process.port}" in process.output()
    assert "--port" in process.output()


def test_a_configuration_fault_is_one_line_and_no_traceback() -> None:
    with pytest.raises(RuntimeError, match=r"unknown key server\.prot; did you mean 'port'") as caught:
        FastproxyProcess("[server]\nprot = 1\n")
    assert "Traceback" not in str(caught.value)


WORKERS = """
[server]
workers = 2
[continuity]
storage = "sqlite:///{folder}/continuity.db"
"""


@pytest.mark.slow
def test_two_workers_answer_replace_one_that_dies_and_leave_nothing(
    mock_process: MockUpstream, mock: MockUpstream, tmp_path: object
) -> None:
    config = WORKERS.format(folder=tmp_path) + PROVIDERS.format(url=mock_process.url, key=KEY)
    proxy = FastproxyProcess(config)
    headers = {"authorization": f"Bearer {KEY}"}
    body = ask("demo-echo", stream=False)

    def workers() -> list[int]:
        return [pid for pid in descendants(proxy.pid) if is_worker(pid)]

    until(lambda: len(workers()) == 2)
    for _ in range(20):
        assert (
            httpx.post(f"{proxy.url}{CHAT}", json=body, headers=headers, trust_env=False).status_code == 200
        )
    counted = 'fastproxy_requests_total{model="demo-echo",provider="demo",status="200"} 20.0'
    # the worker that is not asked counts a moment later
    until(lambda: counted in httpx.get(f"{proxy.url}/metrics", headers=headers, trust_env=False).text)
    victim = workers()[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(workers()) == 2 and victim not in workers(), 10)
    left = [*descendants(proxy.pid)]
    proxy.stop()
    until(lambda: not any(is_worker(pid) for pid in left))


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(mock_process: MockUpstream, tmp_path: object) -> None:
    proxy = FastproxyProcess(
        WORKERS.format(folder=tmp_path) + PROVIDERS.format(url=mock_process.url, key=KEY)
    )
    children = [*descendants(proxy.pid)]
    until(lambda: sum(is_worker(pid) for pid in descendants(proxy.pid)) == 2)
    children = [*descendants(proxy.pid)]
    os.kill(proxy.pid, signal.SIGKILL)
    until(lambda: not any(is_worker(pid) for pid in children), 10)
    proxy.stop(exit_code=-signal.SIGKILL)


@pytest.mark.slow
def test_a_worker_that_cannot_be_replaced_harms_no_other(
    mock_process: MockUpstream, tmp_path: object
) -> None:
    proxy = FastproxyProcess(
        WORKERS.format(folder=tmp_path) + PROVIDERS.format(url=mock_process.url, key=KEY)
    )

    def workers() -> list[int]:
        return [pid for pid in descendants(proxy.pid) if is_worker(pid)]

    until(lambda: listeners(proxy.port) == 2, 20)
    place = Path(f"/proc/{proxy.pid}/cwd").resolve()
    log = (place / "stderr.txt").open()
    shutil.rmtree(place)  # a process cannot be started from a directory that is gone
    place.mkdir()
    for name in ("stdout.txt", "stderr.txt"):
        (place / name).touch()
    os.kill(workers()[0], signal.SIGKILL)
    until(lambda: "a worker cannot be started" in log.read(), 30)
    assert httpx.get(f"{proxy.url}/health/live", trust_env=False).status_code == 200
    proxy.stop(timeout=30)
    log.close()


def listeners(port: int) -> int:
    """Sockets that listen on this port, one a worker (proc(5): local address, remote address, state 0A)."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(f":{port:04X} 00000000:0000 0A" in line for line in lines)


def is_worker(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            command = file.read()
            # Python's own way, and that of an executable
            return b"spawn_main" in command or b"--multiprocessing-fork" in command
    except (FileNotFoundError, ProcessLookupError):
        return False
