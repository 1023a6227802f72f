"""What is released, built once for all tests: by make, which does nothing where nothing has changed."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from testkit.process import ROOT


def make(*arguments: str) -> None:
    """`make …` in the checkout; its output is the error's where it fails."""
    with (ROOT / "Makefile").open("rb") as makefile:
        fcntl.flock(makefile, fcntl.LOCK_EX)  # tests run side by side, and what is built lies in one place
        done = subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def executable() -> Path:
    """The single-file executable: FASTPROXY_TEST_EXECUTABLE, or this checkout's."""
    given = os.environ.get("FASTPROXY_TEST_EXECUTABLE")  # noqa: TID251 - the tests' own switch
    if given:
        return Path(given)
    if not (sysconfig.get_config_var("Py_ENABLE_SHARED") or sysconfig.get_config_var("PYTHONFRAMEWORK")):
        pytest.skip("an executable takes a Python with a shared library (--enable-shared)")
    make("executable")
    return ROOT / "dist" / "fastproxy"
