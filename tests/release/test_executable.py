"""The single-file executable, where there is no Python: an empty environment, and a root with libc alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from fastproxy import __version__
from testkit.process import ROOT, descendants, is_alive
from testkit.proxy import FastproxyProcess
from testkit.redis_server import BINARY, RedisServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first builds it
LINUX = sys.platform == "linux"
START_SECONDS = 2.0
LIBRARIES = (
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
    "libz.so.1",
)
"""What the loader and Python take from the system: glibc, and zlib."""


def bare(folder: Path) -> dict[str, str]:
    """An environment with nothing in it that leads to a Python; `folder` is where it unpacks itself."""
    nothing = {"PATH": "/nonexistent", "PYTHONPATH": "", "LD_LIBRARY_PATH": "", "VIRTUAL_ENV": ""}
    return {**nothing, "TMPDIR": str(folder)}


def start(executable: Path, folder: Path, config: str = "") -> FastproxyProcess:
    return FastproxyProcess(config, bare(folder), program=[str(executable)], start_timeout=60)


def run(executable: Path, *arguments: str, folder: Path, **besides: str) -> subprocess.CompletedProcess[str]:
    environment = bare(folder) | {"HOME": str(folder), **besides}
    command = [str(executable), *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def unpacked(folder: Path) -> list[Path]:
    return list(folder.glob("_MEI*"))


def echo(proxy: FastproxyProcess, text: str) -> str:
    asked = {"model": "demo-echo", "messages": [{"role": "user", "content": text}]}
    answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=asked, trust_env=False)
    assert answer.status_code == 200, answer.text
    content = answer.json()["choices"][0]["message"]["content"]
    assert isinstance(content, str)
    return content


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come true in time"
        time.sleep(0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "unpacked here"
    made.mkdir()
    return made


@pytest.fixture
def started(executable: Path, folder: Path) -> Iterator[FastproxyProcess]:
    with start(executable, folder) as running:
        yield running


def first_words(proxy: FastproxyProcess) -> str:
    """What a stream of demo-chat begins with."""
    asked = {"model": "demo-chat", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    url = f"{proxy.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=asked, trust_env=False) as answer:
        return next(line for line in answer.iter_lines() if '"content":"' in line)


def seconds_to_answer(executable: Path, folder: Path) -> float:
    with start(executable, folder) as proxy:
        began = time.monotonic()
        assert httpx.get(f"{proxy.url}/health", trust_env=False).status_code == 200
        assert "content" in first_words(proxy)
        assert echo(proxy, "no Python here") == "no Python here"
        return proxy.start_seconds + time.monotonic() - began


def test_it_answers_health_and_a_demo_chat_within_two_seconds(executable: Path, folder: Path) -> None:
    starts: list[float] = []
    while len(starts) < 3 and not any(seconds < START_SECONDS for seconds in starts):
        starts.append(seconds_to_answer(executable, folder))  # others may use the machine: the best of three
    if min(starts) >= START_SECONDS and os.getloadavg()[0] > 2 * (os.cpu_count() or 1):
        pytest.skip(f"this machine is too busy to measure: {min(starts):.1f} s")
    assert min(starts) < START_SECONDS, starts


def test_it_ends_by_sigterm_and_leaves_nothing(executable: Path, folder: Path) -> None:
    proxy = start(executable, folder)
    assert len(unpacked(folder)) == 1
    proxy.stop(exit_code=0)
    assert unpacked(folder) == []


@pytest.mark.parametrize(
    ("path", "words"), [("/", "fastproxy"), ("/docs", "<html"), ("/openapi.json", "/v1/chat")]
)
def test_it_holds_the_files_of_the_package(started: FastproxyProcess, path: str, words: str) -> None:
    answer = httpx.get(f"{started.url}{path}", headers={"accept": "text/html"}, trust_env=False)
    assert answer.status_code == 200
    assert words in answer.text


def test_it_tells_its_version_and_the_licences_of_all_parts(executable: Path, folder: Path) -> None:
    assert run(executable, "--version", folder=folder).stdout == f"fastproxy {__version__}\n"
    told = run(executable, "licences", folder=folder).stdout
    parts = ["Python", "granian", "robyn", "pyreqwest", "cryptography", "uvloop"]
    assert [part for part in parts if f"\n{part}" not in f"\n{told}"] == []
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in told


def test_it_checks_a_configuration(executable: Path, folder: Path) -> None:
    (folder / "fastproxy.toml").write_text("[providers.ollama]\nenabled = false\n")
    checked = run(executable, "check", folder=folder)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "demo" in checked.stdout


def test_it_holds_the_bridge(executable: Path, folder: Path) -> None:
    if not (ROOT / "bridge" / "dist" / "fastproxy-bridge.cjs").is_file():
        pytest.skip("the bridge was not built: no Node.js")
    for name in ("claude", "node"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    checked = run(executable, "check", folder=folder, PATH=str(folder))
    assert "make bridge" not in checked.stdout
    assert "claude" in checked.stdout


def serve_with_workers(executable: Path, folder: Path, storage: str) -> FastproxyProcess:
    config = f'[server]\nworkers = 2\n[continuity]\nstorage = "{storage}"\n'
    return start(executable, folder, config)


def both_workers_answer(proxy: FastproxyProcess) -> bool:
    metrics = httpx.get(f"{proxy.url}/metrics", trust_env=False)
    return metrics.status_code == 200 and echo(proxy, "two") == "two"


def test_two_workers_share_one_unpacked_folder_and_end_together(executable: Path, folder: Path) -> None:
    proxy = serve_with_workers(executable, folder, f"sqlite://{folder}/continuity.db")
    until(lambda: len(list(descendants(proxy.pid))) >= 3)
    assert len(unpacked(folder)) == 1
    assert both_workers_answer(proxy)
    proxy.stop(exit_code=0)
    assert unpacked(folder) == []


@pytest.mark.skipif(BINARY is None, reason="no redis-server")
def test_two_workers_with_redis(executable: Path, folder: Path) -> None:
    with RedisServer() as redis, serve_with_workers(executable, folder, redis.url) as proxy:
        assert both_workers_answer(proxy)


@pytest.mark.skipif(not LINUX, reason="nothing tells a program on macOS that its parent is gone")
def test_killed_hard_it_ends_whole_and_the_next_start_cleans_up(executable: Path, folder: Path) -> None:
    with start(executable, folder) as lives:
        proxy = serve_with_workers(executable, folder, f"sqlite://{folder}/continuity.db")
        until(lambda: len(list(descendants(proxy.pid))) >= 3)
        family = list(descendants(proxy.pid))
        assert len(unpacked(folder)) == 2
        proxy.process.send_signal(signal.SIGKILL)
        until(lambda: not any(is_alive(pid) for pid in family))
        assert len(unpacked(folder)) == 2
        run(executable, "--version", folder=folder)
        assert len(unpacked(folder)) == 1, "the left-over goes, and what runs stays"
        assert echo(lives, "still here") == "still here"
    proxy.stop(exit_code=-signal.SIGKILL)


@pytest.mark.skipif(not LINUX or os.geteuid() != 0, reason="needs root, for a root directory of its own")
def test_it_needs_nothing_of_the_system_but_libc_and_zlib(executable: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "tmp").mkdir(parents=True)
    (root / "dev").mkdir()
    os.mknod(root / "dev" / "null", 0o666 | 0o020000, os.makedev(1, 3))
    shutil.copy(executable, root / "fastproxy")
    for library in ldd(executable):
        to = root / library.lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, to)
    program = [shutil.which("chroot") or "/usr/sbin/chroot", str(root), "/fastproxy"]
    (root / "fastproxy.toml").touch()
    with FastproxyProcess("", bare(Path("/tmp")), program=program, start_timeout=60) as proxy:
        assert echo(proxy, "alone") == "alone"


def ldd(executable: Path) -> list[str]:
    """The files that the loader takes from the system, and those that Python takes besides."""
    told = subprocess.run(["ldd", str(executable)], capture_output=True, text=True, check=True).stdout
    found = [word for word in told.split() if word.startswith("/")]
    [libc] = [file for file in found if file.endswith("/libc.so.6")]
    besides = [str(Path(libc).parent / name) for name in LIBRARIES]
    return list(dict.fromkeys([*found, *filter(os.path.exists, besides)]))
