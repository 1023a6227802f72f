"""What a release is made with: workflows that lint, pinned actions, one version."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from fastproxy import __version__

ROOT = Path(__file__).resolve().parent.parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
OUR_OWN = re.compile(r"uses: \./\.github/")
BIN = Path(sys.executable).parent


def read(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{path.stem}.{name}", job) for path in WORKFLOWS for name, job in read(path)["jobs"].items()]


@pytest.mark.parametrize(
    "command",
    [
        ["actionlint", *map(str, WORKFLOWS)],
        ["zizmor", "--offline", "--quiet", "--persona", "pedantic", "--min-severity", "low", ".github"],
        pytest.param(
            ["check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml"],
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda command: command[0],
)
def test_a_linter_has_nothing_to_say(command: list[str]) -> None:
    if shutil.which(command[0], path=str(BIN)) is None:
        pytest.skip(f"no {command[0]} for this system")
    found = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_every_action_is_pinned_by_its_hash_and_tells_its_version() -> None:
    used = [line.strip().removeprefix("- ") for path in WORKFLOWS for line in path.read_text().splitlines()]
    used = [line for line in used if line.startswith("uses:")]
    assert used
    assert [line for line in used if not PINNED.match(line) and not OUR_OWN.match(line)] == []


def test_one_action_has_one_hash() -> None:
    text = "".join(path.read_text() for path in WORKFLOWS)
    pins = set(re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", text))
    assert len(pins) == len({action for action, _hash in pins})


@pytest.mark.parametrize(("name", "job"), jobs(), ids=[name for name, _job in jobs()])
def test_a_job_has_an_end_and_no_permission_that_it_does_not_name(name: str, job: dict[str, Any]) -> None:
    assert "permissions" in job
    assert "timeout-minutes" in job or "uses" in job


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_nothing_by_itself(path: Path) -> None:
    assert read(path)["permissions"] == {}
    assert "pull_request_target" not in path.read_text()


def test_a_pull_request_sees_no_secret_and_may_write_nothing() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert "pull_request:" in text
    assert "secrets" not in text
    assert "write" not in text


def test_ci_tries_every_python_that_the_package_takes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    told = [line.rpartition(" ")[2] for line in project["classifiers"] if "Python :: 3." in line]
    matrix = read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == told
    assert {system.partition("-")[0] for system in matrix["system"]} == {"ubuntu", "macos"}


def test_what_workflows_make_can_be_made() -> None:
    runs = "\n".join(str(step.get("run", "")) for _name, job in jobs() for step in job.get("steps", ()))
    wanted = {target for line in re.findall(r"\bmake ([a-z -]+)", runs) for target in line.split()}
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"wheel", "sbom", "executable", "executable-test", "audit"} <= wanted
    assert wanted <= known


def test_the_images_that_a_release_pushes_are_targets_of_the_dockerfile() -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    pushed = read(ROOT / ".github" / "workflows" / "release.yml")["jobs"]["images"]["strategy"]["matrix"]
    assert set(pushed["target"]) <= targets


def test_dockerfile_and_changelog_know_the_version() -> None:
    assert set(re.findall(r"^ARG VERSION=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)) == {
        __version__
    }
    newest = re.search(r"^## \[(.+?)\] - (Unreleased|\d{4}-\d\d-\d\d)$", read_changelog(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__


def read_changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_notes_of_a_release_are_the_changelogs_part() -> None:
    step = read(ROOT / ".github" / "workflows" / "release.yml")["jobs"]["release"]["steps"][-1]
    [awk] = [line for line in step["run"].splitlines() if line.startswith("awk")]
    command = awk.replace("$VERSION", "0.2.0").replace("> notes.md", "").replace("CHANGELOG.md", "-")
    text = "# Changelog\n\n## [0.2.0] - 2026-01-31\n\n### Added\n- this\n\n## [0.1.0] - 2026-01-01\n- that\n"
    notes = subprocess.run(["sh", "-c", command], input=text, capture_output=True, text=True, check=True)
    assert notes.stdout.strip() == "### Added\n- this"


@pytest.mark.parametrize("file", sorted(ROOT.glob("requirements*.lock")), ids=lambda path: path.name)
def test_a_lock_has_hashes_and_no_registry(file: Path) -> None:
    lines = file.read_text("utf-8").splitlines()
    pins = [line for line in lines if "==" in line and not line.lstrip().startswith("#")]
    assert pins
    assert [line for line in pins if not line.endswith("\\")] == []
    assert [line for line in lines if "://" in line or line.startswith("-")] == []


def test_nothing_is_installed_without_its_hash() -> None:
    installs = [
        line
        for name in ("Makefile", "Dockerfile", ".ci/run")
        for line in (ROOT / name).read_text("utf-8").splitlines()
        if re.search(r"(pip install|\$\(PIP\)) ", line) and "PIP :=" not in line
    ]
    assert installs
    assert [line for line in installs if "--require-hashes" not in line and "--no-deps" not in line] == []
