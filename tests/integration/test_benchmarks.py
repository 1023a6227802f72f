"""The benchmarks run: every kind of load reaches every target, and what was measured is told."""

from __future__ import annotations

import subprocess
import sys

import orjson
import pytest

from bench.results import RESULTS
from testkit.process import ROOT, clean_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_interleaved_run_measures_all_targets_without_a_failure() -> None:
    name = "interleave-quick"
    cases = ("latency", "streams", "saturation")
    told = run("bench.interleave", "--quick", "--rounds", "1", "--plain", "--name", name, "--cases", *cases)
    assert "FAILED" not in told
    rows = orjson.loads((RESULTS / f"{name}.json").read_bytes())["rows"]
    assert set(rows[0]["median"]) == {"direct", "bare relay", "fastproxy", "fastproxy, plain"}
    assert all(value >= 0 for row in rows for value in row["median"].values())


def test_the_comparison_starts_and_measures_gateways_in_turn() -> None:
    told = run("bench.compare", "--quick", "--force", "--rounds", "1", "--only", "bare relay", "fastproxy")
    assert "MEASURED ON A LOADED MACHINE" in told
    turns = orjson.loads((RESULTS / "compare-quick.json").read_bytes())["turns"]
    assert [turn["name"] for turn in turns] == ["direct", "bare relay", "fastproxy"]
    for turn in turns:
        assert {case["failures"] for case in turn["cases"].values()} == {0}, turn
