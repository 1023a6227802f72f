"""Each guide is tried in its short form: what installs or builds is only read (`make docs-test` runs all)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from testkit.guides.blocks import Block, blocks, pages
from testkit.guides.session import GuideError, Session
from testkit.mock import MockUpstream
from testkit.process import ROOT

VENV = Path(sys.prefix)
PAGES = [str(page.relative_to(ROOT)) for page in pages(ROOT)]
TRIED = [name for name in PAGES if blocks(name, (ROOT / name).read_text("utf-8"))]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", TRIED)
def test_a_guide_keeps_its_word(name: str, mock: MockUpstream, tmp_path: Path) -> None:
    with Session(mock, tmp_path, venv=VENV, short=True) as session:
        for block in blocks(name, (ROOT / name).read_text("utf-8")):
            session.run(block, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "text", "remarks", "why"),
    [
        ("sh", "false\necho more", {}, "ended with 1"),
        ("sh", "echo one", {"expect": "two"}, "did not say 'two'"),
        ("sh", "true", {"fails": ""}, "ended with 0"),
        ("python", "import nothing_of_this_name", {}, "ModuleNotFoundError"),
        ("sh", "sleep 60 & wait", {}, "has not ended after 1 s"),
        ("toml", "[servers]", {}, "did you mean 'server'"),
    ],
    ids=["fails", "says something else", "succeeds", "imports", "hangs", "configures"],
)
def test_a_promise_that_is_not_kept_is_noticed(
    language: str, text: str, remarks: dict[str, str], why: str, mock: MockUpstream, tmp_path: Path
) -> None:
    block = Block("page.md", 1, language, text, remarks)
    with Session(mock, tmp_path, venv=VENV, short=True) as session, pytest.raises(GuideError, match=why):
        session.run(block, timeout=5 if language == "python" else 1)
