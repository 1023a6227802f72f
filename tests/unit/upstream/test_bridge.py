"""The bridge's keeper: it runs, it is run again, its lines are ours, and it ends with us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs

from fastproxy.config import BridgeLaunch
from fastproxy.upstream.bridge import Bridge
from testkit.process import ROOT, clean_environment, is_alive

SECRET = "0123456789abcdef"
SAYS_WHO_IT_IS = """
import json, os, pathlib, sys
place = pathlib.Path(os.environ["PLACE"])
with place.open("a") as file:
    file.write(json.dumps({"pid": os.getpid(), "env": dict(os.environ)}) + "\\n")
"""
ENDS_WITH_ITS_PARENT = SAYS_WHO_IT_IS + "sys.stdin.read()\n"
DIES = SAYS_WHO_IT_IS + "sys.exit(3)\n"
RESTARTED = "the bridge ended and is started again"


class Stage:
    """A folder with a script that stands in for Node's bundle, and what its runs said of themselves."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.place = folder, folder / "runs"

    def launch(self, script: str) -> BridgeLaunch:
        bundle = self.folder / "bundle.py"
        bundle.write_text(script)
        return BridgeLaunch(sys.executable, str(bundle), {"PLACE": str(self.place)})

    @contextmanager
    def running(self, script: str, longest_wait: float = 10.0) -> Iterator[Bridge]:
        launch = self.launch(script)
        bridge = Bridge(launch, 4001, SECRET, first_wait=0.01, longest_wait=longest_wait)
        bridge.start()
        try:
            yield bridge
        finally:
            bridge.stop()

    def runs(self) -> list[dict[str, object]]:
        lines = self.place.read_bytes().splitlines() if self.place.exists() else []
        return [orjson.loads(line) for line in lines if line.endswith(b"}")]

    def pid(self) -> int:
        """The process id of the only run, once there is one."""
        until(lambda: bool(self.runs()))
        [run] = self.runs()
        return int(str(run["pid"]))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come true in time"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("script", "longest", "waits"),
    [
        (DIES, 10.0, [0.01, 0.02, 0.04]),
        (DIES, 0.01, [0.01, 0.01, 0.01]),
        ("import time; time.sleep(0.06)" + DIES, 0.05, [0.01, 0.01, 0.01]),
    ],
    ids=["each_time_later", "up_to_a_limit", "at_once_if_it_ran_for_a_while"],
)
def test_one_that_dies_is_started_again(
    stage: Stage, script: str, longest: float, waits: list[float]
) -> None:
    with capture_logs() as logs, stage.running(script, longest):
        until(lambda: len(stage.runs()) >= 4)
    told = [(entry["exit_code"], entry["in_seconds"]) for entry in logs if entry["event"] == RESTARTED]
    assert told[:3] == [(3, wait) for wait in waits]


def test_one_that_cannot_be_started_is_told_and_tried_again(stage: Stage) -> None:
    launch = BridgeLaunch("/nowhere/node", "bundle", {})
    with capture_logs() as logs:
        bridge = Bridge(launch, 4001, SECRET, first_wait=0.01, longest_wait=0.01)
        bridge.start()
        until(lambda: sum(entry["event"] == RESTARTED for entry in logs) >= 2)
        bridge.stop()
    assert logs[0]["event"] == "the bridge cannot be started"
    assert logs[0]["reason"] == "No such file or directory"


def test_its_lines_are_joined_to_ours_whatever_they_are(stage: Stage) -> None:
    says = """
import sys
sys.stderr.write('{"time":"now","level":"info","event":"answered","request_id":"req_1","total_ms":5}\\n')
sys.stderr.write('{"level":"error","event":"crashed"}\\n')
sys.stderr.write('{"level":"strange","event":"odd"}\\n')
sys.stderr.write('Error: no such module\\n')
sys.stderr.write('[1]\\n')
sys.stderr.flush()
"""
    with capture_logs() as logs, stage.running(says + ENDS_WITH_ITS_PARENT):
        stage.pid()
        until(lambda: len(logs) == 5)
    assert logs[0] == {
        "log_level": "info",
        "event": "answered",
        "logger": "bridge",
        "request_id": "req_1",
        "total_ms": 5,
    }
    told = [(entry["log_level"], entry["event"]) for entry in logs[1:5]]
    assert told == [
        ("error", "crashed"),
        ("warning", "odd"),
        ("warning", "Error: no such module"),
        ("warning", "[1]"),
    ]


def test_stopping_ends_it_for_good(stage: Stage) -> None:
    with capture_logs() as logs, stage.running(ENDS_WITH_ITS_PARENT) as bridge:
        pid = stage.pid()
        assert is_alive(pid)
        bridge.stop()
        assert not is_alive(pid)
    assert len(stage.runs()) == 1
    assert RESTARTED not in [entry["event"] for entry in logs]


def test_it_gets_its_place_and_the_secret_and_nothing_of_our_environment(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTPROXY_AUTH__KEYS", "sk-ours")
    with capture_logs(), stage.running(ENDS_WITH_ITS_PARENT):
        stage.pid()
    environment = stage.runs()[0]["env"]
    assert isinstance(environment, dict)
    mine = {name: value for name, value in environment.items() if name != "LC_CTYPE"}  # Python's own
    assert mine == {
        "PLACE": str(stage.place),
        "FASTPROXY_BRIDGE_PORT": "4001",
        "FASTPROXY_BRIDGE_SECRET": SECRET,
    }
    assert SECRET not in repr(Bridge(stage.launch(DIES), 1, SECRET))


def test_a_parent_that_is_killed_leaves_none(stage: Stage) -> None:
    launch = stage.launch(ENDS_WITH_ITS_PARENT)
    program = f"""
import time
from fastproxy.config import BridgeLaunch
from fastproxy.upstream.bridge import Bridge
Bridge(BridgeLaunch({launch.node!r}, {launch.bundle!r}, {dict(launch.environment)!r}), 1, "s").start()
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], env=clean_environment(), cwd=ROOT)
    try:
        pid = stage.pid()
        assert is_alive(pid)
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    until(lambda: not is_alive(pid))
