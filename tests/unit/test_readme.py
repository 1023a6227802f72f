"""The README's examples: what a newcomer copies must work."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from fastproxy.config import load, off_reasons
from testkit.readme_figures import BEGIN, END, render, results

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_configuration_is_valid(tmp_path: Path) -> None:
    [text] = blocks("toml")
    file = tmp_path / "fastproxy.toml"
    file.write_text(text, "utf-8")
    settings, found = load(str(file), {"CURSOR_KEY": "sk-mine"})
    assert found == file
    assert not off_reasons(settings, {})["local"]
    assert settings.fallback.chain


def test_the_snippet_is_python() -> None:
    [snippet] = blocks("python")
    ast.parse(snippet)


def test_every_page_that_it_links_is_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)", README):
        assert link.startswith("http") or (ROOT / link).is_file(), link


def test_no_example_names_a_variable_that_would_be_taken_for_a_setting() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for name in re.findall(r"env:(FASTPROXY_\w+)", page.read_text("utf-8")):
            assert "__" in name, f"{page.name}: {name}"


def test_every_make_target_that_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b", README))
    assert named <= targets
    assert {"run", "test", "check", "bench"} <= named


def test_its_figures_are_those_that_were_measured() -> None:
    assert render(README, results()) == README, "run: make docs"


def test_figures_that_were_measured_are_shown() -> None:
    points = [["direct", 1.0, 1.0, 1.0], ["fastproxy", 1.0, 1234.5, 2000.0]]
    plots = {plot: {"points": points} for plot in ("added_p50", "per_second", "delay_p50", "rss_after")}
    shown = render(README, {"machine": {"processors": 2, "processor": "X"}, "plots": plots})
    table = shown.partition(BEGIN)[2].partition(END)[0]
    assert "| fastproxy | 1234.50 | 1,234 | 1234.50 | 1234 |" in table
    assert "| nginx |  |  |  |  |" in table
