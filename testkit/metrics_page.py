"""Writes the table of metrics in docs/observability.md from their definitions.

python -m testkit.metrics_page          (or: make docs)
"""

from __future__ import annotations

from pathlib import Path

from fastproxy.observability.metrics.definitions import DEFINITIONS, Definition

FILE = Path(__file__).resolve().parent.parent / "docs" / "observability.md"
BEGIN = "<!-- made from the definitions by `make docs`: do not edit -->\n"
END = "<!-- end of what is made -->\n"


def render(page: str) -> str:
    """The page, with what stands between its marks made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|", *map(_row, DEFINITIONS)]
    return f"{before}{BEGIN}\n" + "\n".join(rows) + f"\n\n{END}{after}"


def _row(definition: Definition) -> str:
    labels = ", ".join(f"`{name}`" for name in definition.labels)
    return f"| `{definition.name}` | {definition.type} | {labels} | {definition.help} |"


if __name__ == "__main__":
    FILE.write_text(render(FILE.read_text("utf-8")), "utf-8")
