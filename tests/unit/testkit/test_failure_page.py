"""The page of failure modes is the one that its table makes."""

from __future__ import annotations

from testkit.failure_modes import cells
from testkit.failure_page import FILE, render


def test_the_page_is_current() -> None:
    assert FILE.read_text("utf-8") == render(), "run `make docs`"


def test_every_cell_has_its_own_name() -> None:
    names = [(fault.provider, fault.name, phase) for fault, phase, _ in cells()]
    assert len(names) == len(set(names))
