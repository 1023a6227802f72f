"""A plot as SVG: one row a target, a dot at its median, a line over its rounds, on a logarithmic scale. Pure.

Logarithmic, since what is compared differs a thousandfold; dots, since a bar's length means nothing there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from bench.results import number

Point = tuple[str, float, float, float]
"""Name, lowest, median and highest."""

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP, _BOTTOM = 760, 190, 90, 30, 56, 34
_INK, _FAINT, _LINE, _DOT, _OURS = "#1f2933", "#6b7785", "#d9dfe5", "#7b8794", "#0b6bcb"
_STYLE = 'font-family="system-ui, sans-serif" font-size="13"'
_NOTHING = 0.5
"""Half of the smallest power of ten in sight: where values of nothing, and below it, are drawn."""


def dot_chart(title: str, points: Sequence[Point], ours: str) -> str:
    """The plot of these points; the row named `ours` stands out."""
    height = _TOP + _ROW * len(points) + _BOTTOM
    low, high = _decades(points)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" {_STYLE}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" fill="{_INK}" font-size="15" font-weight="600">{escape(title)}</text>',
        *_grid(low, high, height),
        *(line for row, point in enumerate(points) for line in _row(row, point, low, high, ours)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _decades(points: Sequence[Point]) -> tuple[int, int]:
    """The powers of ten between which all that is above nothing lies."""
    known = [value for _, *values in points for value in values if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    return low, max(high, low + 1)


def _x(value: float, low: int, high: int) -> float:
    exponent = math.log10(max(value, 10.0**low * _NOTHING))
    start, end = low + math.log10(_NOTHING), high
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (exponent - start) / (end - start)


def _grid(low: int, high: int, height: int) -> Iterator[str]:
    for exponent in range(low, high + 1):
        x = _x(10.0**exponent, low, high)
        yield (
            f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{height - _BOTTOM}" stroke="{_LINE}"/>'
            f'<text x="{x:.1f}" y="{height - 12}" fill="{_FAINT}" text-anchor="middle">'
            f"{10.0**exponent:,g}</text>"
        )


def _row(row: int, point: Point, low: int, high: int, ours: str) -> Iterator[str]:
    name, lowest, middle, highest = point
    y = _TOP + _ROW * row + _ROW / 2
    colour, weight = (_OURS, "600") if name == ours else (_DOT, "400")
    ends = [f"{_x(value, low, high):.1f}" for value in (lowest, highest)]
    yield (
        f'<text x="{_LEFT - 12}" y="{y + 4:.0f}" fill="{_INK}" font-weight="{weight}" text-anchor="end">'
        f"{escape(name)}</text>"
    )
    yield (
        f'<line x1="{ends[0]}" y1="{y}" x2="{ends[1]}" y2="{y}" stroke="{colour}" stroke-width="3" '
        'stroke-linecap="round" opacity="0.45"/>'
    )
    yield f'<circle cx="{_x(middle, low, high):.1f}" cy="{y}" r="6" fill="{colour}"/>'
    yield (
        f'<text x="{_WIDTH - 12}" y="{y + 4:.0f}" fill="{_INK}" font-weight="{weight}" text-anchor="end">'
        f"{number(middle)}</text>"
    )
