"""A start without credentials reaches for nothing outside: no update, no telemetry, no name is looked up."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from testkit.process import ROOT, clean_environment

UNSHARE = shutil.which("unshare")
OWN_NETWORK = [UNSHARE or "unshare", "--map-root-user", "--net"]


def has_own_network() -> bool:
    return UNSHARE is not None and subprocess.run([*OWN_NETWORK, "true"], check=False).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not has_own_network(), reason="needs a network namespace (unshare)"),
]
ALL_WELL = [200, 200, 200, 200]


def alone(config: str = "", *program: str) -> dict[str, Any]:
    command = [*OWN_NETWORK, sys.executable, "-m", "testkit.alone", *program]
    done = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), input=config.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    told = orjson.loads(done.stdout)
    assert isinstance(told, dict)
    return told


def test_a_start_reaches_for_nothing_outside() -> None:
    assert alone() == {"statuses": ALL_WELL, "no_route": 0, "names_asked": False}


def test_the_executables_start_does_not_either(executable: Path) -> None:
    assert alone("", str(executable)) == {"statuses": ALL_WELL, "no_route": 0, "names_asked": False}


def test_a_provider_that_is_switched_on_is_reached_for_and_seen_here() -> None:
    config = '[providers.deepseek]\napi_key = "sk-none"\nbase_url = "http://192.0.2.1"\n'
    told = alone(config)
    assert told["statuses"] == ALL_WELL
    assert told["no_route"] > 0
