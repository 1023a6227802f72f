"""docs/configuration.md: made from the settings, whole and up to date."""

from __future__ import annotations

import re

from fastproxy.config.settings import Settings
from testkit.configuration_page import BEGIN, END, FILE, render

PAGE = FILE.read_text("utf-8")


def test_the_page_is_what_the_settings_say() -> None:
    assert render(PAGE) == PAGE, "run: make docs"


def test_every_key_has_a_meaning() -> None:
    [rows] = re.findall(re.escape(BEGIN) + "(.*)" + re.escape(END), PAGE, re.DOTALL)
    silent = [
        row for row in rows.splitlines() if row.startswith("| `") and not row.split(" | ")[-1].strip(" |")
    ]
    assert silent == [], "give these settings a docstring"


def test_every_section_is_told_of() -> None:
    for section in Settings.model_fields:
        assert re.search(rf"### `\[+{section}\]+`", PAGE) or f"`[{section}." in PAGE, section
