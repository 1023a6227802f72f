"""A plot is well-formed SVG that shows every point, on a scale where all of them lie."""

from __future__ import annotations

from xml.etree import ElementTree

from bench.chart import Point, dot_chart

SVG = "{http://www.w3.org/2000/svg}"
POINTS: list[Point] = [("nginx", 9000.0, 10_000.0, 12_000.0), ("fast & proxy", 900.0, 1000.0, 1100.0)]


def drawn(points: list[Point]) -> ElementTree.Element:
    return ElementTree.fromstring(dot_chart("Requests <a second>", points, "fast & proxy"))


def test_every_point_has_its_name_its_number_and_a_dot() -> None:
    svg = drawn(POINTS)
    texts = [text.text for text in svg.iter(f"{SVG}text")]
    assert {"nginx", "fast & proxy", "10,000", "1,000", "Requests <a second>"} <= set(texts)
    assert len(list(svg.iter(f"{SVG}circle"))) == 2


def test_equal_ratios_are_equal_distances() -> None:
    points: list[Point] = [("a", 1.0, 1.0, 1.0), ("b", 10.0, 10.0, 10.0), ("c", 100.0, 100.0, 100.0)]
    first, second, third = (float(dot.attrib["cx"]) for dot in drawn(points).iter(f"{SVG}circle"))
    assert abs((second - first) - (third - second)) < 0.2


def test_what_adds_nothing_or_less_is_drawn_at_the_left_end() -> None:
    svg = drawn([("noise", -0.2, -0.1, 0.0), ("other", 0.5, 0.5, 0.5)])
    first, second = (float(dot.attrib["cx"]) for dot in svg.iter(f"{SVG}circle"))
    assert 0 < first < second < 760
