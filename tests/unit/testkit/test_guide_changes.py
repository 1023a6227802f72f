"""Changes that a guide shows: applied where what they show is there once, else refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from testkit.guides.changes import apply

CHANGE = "--- a/table.py\n+++ b/table.py\n@@\n+a = 0\n b = 1\n@@\n-d = 3\n+d = 4\n"


def test_lines_are_added_and_replaced_beside_what_stands_there(tmp_path: Path) -> None:
    file = tmp_path / "table.py"
    file.write_text("b = 1\n\nd = 3\n", "utf-8")
    apply(CHANGE, tmp_path)
    assert file.read_text("utf-8") == "a = 0\nb = 1\n\nd = 4\n"


@pytest.mark.parametrize("text", ["d = 3\n", "b = 1\nb = 1\nd = 3\n"], ids=["not there", "there twice"])
def test_what_is_not_there_once_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "table.py").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=r"table\.py has \d times, not once"):
        apply(CHANGE, tmp_path)
