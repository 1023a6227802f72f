"""Wheel and sdist: the same bytes wherever and whenever they are built, and nothing else in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from fastproxy import __version__
from testkit.process import ROOT
from testkit.proxy import FastproxyProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
BUNDLE = "bridge/dist/fastproxy-bridge.cjs"
BUILT = (BUNDLE, f"{BUNDLE}.LEGAL.txt")
INFO = f"fastproxy-{__version__}.dist-info"


def sources(*under: str) -> list[str]:
    """What git knows or would take, relative to the checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *under]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.splitlines() if (ROOT / name).is_file()]


def built() -> list[str]:
    """The bridge, where there was Node to build it."""
    return [name for name in BUILT if (ROOT / name).is_file()]


def copy_to(folder: Path, changed: float) -> Path:
    """The sources in another place, all changed at that time (seconds since the epoch)."""
    for name in [*sources(), *built()]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
        os.utime(folder / name, (changed, changed))
    return folder


def build(folder: Path, kind: str, *, zone: str = "UTC", mask: int = 0o022) -> Path:
    """The one file of that kind that `hatchling build` makes of the sources in `folder`."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind],
        cwd=folder,
        env={"PATH": "/nonexistent", "TZ": zone, "HOME": str(folder)},  # no Node: what is built is built
        umask=mask,
        capture_output=True,
        check=True,
    )
    [made] = (folder / "dist").glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


def digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_to(tmp_path_factory.mktemp("here"), 1_700_000_000)


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    return build(place, "wheel")


@pytest.fixture(scope="module")
def sdist(place: Path) -> Path:
    return build(place, "sdist")


def test_another_place_time_zone_and_umask_make_the_same_bytes(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    elsewhere = copy_to(tmp_path / "some where" / "else", 1_600_000_001)
    assert digest(build(elsewhere, "wheel", zone="Asia/Tokyo", mask=0o077)) == digest(wheel)
    assert digest(build(elsewhere, "sdist", zone="Asia/Tokyo", mask=0o077)) == digest(sdist)


def test_the_sdist_makes_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    [folder] = tmp_path.iterdir()
    assert digest(build(folder, "wheel")) == digest(wheel)


def test_the_wheel_holds_the_package_the_bridge_and_nothing_else(wheel: Path) -> None:
    bridge = [f"fastproxy/bridge/{Path(name).name}" for name in built()]
    about = [
        f"{INFO}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    ]
    with zipfile.ZipFile(wheel) as archive:
        assert sorted(archive.namelist()) == sorted([*sources("fastproxy"), *bridge, *about])
        assert "fastproxy/py.typed" in archive.namelist()


def test_the_sdist_holds_what_the_wheel_is_made_of_and_the_bridges_sources(sdist: Path) -> None:
    plain = [
        "hatch_build.py",
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "pyproject.toml",
        ".gitignore",
        "PKG-INFO",
    ]
    expected = {*sources("fastproxy", "bridge"), *built(), *plain}
    with tarfile.open(sdist) as archive:
        assert {name.partition("/")[2] for name in archive.getnames()} == expected


def test_the_wheel_says_which_version_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = Parser().parsestr(archive.read(f"{INFO}/METADATA").decode())
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"


def test_what_the_wheel_holds_serves_page_and_demo(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = [sys.executable, "-c", "from fastproxy.cli import main; main()"]
    with FastproxyProcess("", {"PYTHONPATH": str(tmp_path)}, program=program) as proxy:
        page = httpx.get(proxy.url, headers={"accept": "text/html"}, trust_env=False)
        assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    place = subprocess.run(
        [sys.executable, "-c", "from fastproxy.config.bridge import bundle; print(bundle())"],
        env={"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = tmp_path / "fastproxy" / "bridge" / "fastproxy-bridge.cjs"
    assert place.stdout.strip() == str(found if built() else None)
