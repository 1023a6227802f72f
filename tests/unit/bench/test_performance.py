"""The page's measured parts are written from results; its words, and parts without results, stay."""

from __future__ import annotations

import pytest

from bench.goals import Goal
from bench.performance import PAGE, PART, PARTS, filled

PAGE_TEXT = """Words.
<!-- measured: goals -->
old
<!-- end -->
More words.
<!-- measured: memory -->
old memory
<!-- end -->
"""
SOURCES = {
    "start": {"goals": [Goal("start, s", [0.5, 0.7], "<=", 1.0, "floor").told()]},
    "overhead_vertex": {"goals": [Goal("added, ms", [1.0], "<=", 50.0, "contract").told()]},
}


def test_a_part_is_written_anew_and_the_words_stay(capsys: pytest.CaptureFixture[str]) -> None:
    page = filled(PAGE_TEXT, SOURCES)
    assert page.startswith(
        "Words.\n<!-- measured: goals -->\n| what | wanted | measured | rounds | verdict |"
    )
    assert "| start, s | ≤ 1 (floor) | 0.600 | 0.500 to 0.700 | met |" in page
    assert page.index("(contract)") < page.index("(floor)")
    assert "More words." in page


def test_a_part_without_its_results_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert "old memory" in filled(PAGE_TEXT, SOURCES)
    assert "memory: stays as it is" in capsys.readouterr().out


def test_writing_it_twice_changes_nothing() -> None:
    page = filled(PAGE_TEXT, SOURCES)
    assert filled(page, SOURCES) == page


def test_every_part_of_the_page_is_known() -> None:
    names = [match[2] for match in PART.finditer(PAGE.read_text("utf-8"))]
    assert sorted(names) == sorted(PARTS)
