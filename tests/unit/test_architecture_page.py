"""docs/architecture.md: the files and folders that it names are there."""

from __future__ import annotations

import re

import pytest

from testkit.process import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(?:fastproxy/)?([a-z_]+(?:/[a-z_]*)*(?:\.py)?)`", PAGE)))
PLACES = [name for name in NAMED if "/" in name or name.endswith(".py")]


@pytest.mark.parametrize("name", PLACES)
def test_a_file_that_is_named_is_there(name: str) -> None:
    assert (ROOT / "fastproxy" / name).exists(), name


def test_the_path_is_found_at_all() -> None:
    assert {"pipeline.py", "resilience/attempts.py", "wire/", "routes.py"} <= set(PLACES)
