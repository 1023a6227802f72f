"""Writes the measured figures of the README from the comparison's results, where it was made on this machine.

python -m testkit.readme_figures          (or: make docs)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "README.md"
RESULTS = ROOT / "bench" / "results" / "compare.json"
BEGIN = "<!-- measured: made from bench/results/compare.json by `make docs` -->\n"
END = "<!-- measured: end -->\n"
SHOWN = ("fastproxy", "LiteLLM", "Portkey", "Envoy", "nginx")
COLUMNS = (
    ("added_p50", "added to a request, ms", ".2f"),
    ("per_second", "requests/s", ",.0f"),
    ("delay_p50", "added to an event, ms", ".2f"),
    ("rss_after", "memory, MiB", ".0f"),
)
"""(plot of the comparison, heading, format); the heading's meaning is told below the table."""
_MEANING = """\
Medians, one worker each, {processors} processors ({processor}), upstream on the same machine: time added to a
whole answer over one connection; requests a second over 32; time added to an event of 300 paced streams;
resident memory after that.
"""


def render(readme: str, told: Json | None) -> str:
    """The README with the figures of this comparison; as it is where there is none."""
    if told is None:
        return readme
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{_table(told)}{END}{after}"


def results() -> Json | None:
    """The comparison's results; None where it was not made."""
    return orjson.loads(RESULTS.read_bytes()) if RESULTS.exists() else None


def _table(told: Json) -> str:
    rows = "".join(f"| {' | '.join(row)} |\n" for row in _rows(told))
    machine = {name: told["machine"][name] for name in ("processors", "processor")}
    return f"{rows}\n{_MEANING.format(**machine)}"


def _rows(told: Json) -> Iterator[list[str]]:
    yield ["", *(heading for _, heading, _ in COLUMNS)]
    yield ["---"] * (len(COLUMNS) + 1)
    figures = {
        plot: {point[0]: point[2] for point in told["plots"][plot]["points"]} for plot, _, _ in COLUMNS
    }
    for name in SHOWN:
        cells = [
            format(figures[plot][name], form) if name in figures[plot] else "" for plot, _, form in COLUMNS
        ]
        yield [name, *cells]


if __name__ == "__main__":
    FILE.write_text(render(FILE.read_text("utf-8"), results()), "utf-8")
