"""The comparison's turns become medians beside the direct call of the same round."""

from __future__ import annotations

from bench.compare_report import LOADED, report, values
from bench.figures import Figures


def case(per_second: float, p50: float, failures: int = 0) -> Figures:
    times = {"p50": p50, "p99": p50 * 2}
    cpu = {"target": 0.5, "upstream": 0.1, "generator": 0.1, "others": 0.0}
    return {
        "per_second": per_second,
        "latency_ms": times,
        "delay_ms": times,
        "failures": failures,
        "answered": 1000,
        "elapsed_seconds": 2.0,
        "cpu": cpu,
    }


def turn(number: int, name: str, per_second: float, p50: float, failures: int = 0) -> Figures:
    cases = {name: case(per_second, p50, failures) for name in ("latency", "throughput", "streams")}
    told: Figures = {"round": number, "name": name, "cases": cases}
    if name != "direct":
        told |= {"start_seconds": 0.5, "rss_mib": {"idle": 50.0, "after": 60.0}}
    return told


TURNS = [
    turn(0, "direct", 9000, 0.1),
    turn(0, "fastproxy", 4000, 0.5),
    turn(0, "LiteLLM", 50, 9.1, failures=2),
    turn(1, "direct", 9000, 0.3),
    turn(1, "fastproxy", 5000, 0.9),
    {"round": 1, "name": "LiteLLM", "fault": "it did not answer in time"},
]


def test_what_is_added_is_measured_from_the_direct_call_of_the_same_round() -> None:
    found = values(TURNS)
    assert [round(value, 3) for value in found["fastproxy"]["added_p50"]] == [0.4, 0.6]
    assert found["direct"]["added_p50"] == [0.1, 0.3], "its own time stands there"


def test_a_turn_without_figures_is_left_out() -> None:
    assert values(TURNS)["LiteLLM"]["per_second"] == [50]


def test_failed_requests_and_streams_are_told() -> None:
    told = report({"turns": TURNS, "forced": False})
    header, rows = told["table"]["header"], {row[0]: row for row in told["table"]["rows"]}
    assert rows["LiteLLM"][header.index("failed")] == "6.00"
    assert rows["fastproxy"][header.index("requests/s")] == "4,500 ±500"
    assert rows["fastproxy"][header.index("processors used by upstream and generator")] == "0.100"
    assert rows["direct"][header.index("start to first answer, s")] == ""


def test_goals_are_ratios_of_the_same_round() -> None:
    (goal,) = report({"turns": TURNS, "forced": False})["goals"]
    assert (goal["what"], goal["figure"], goal["verdict"]) == ("requests/s, x LiteLLM", 80.0, "met")


def test_a_report_of_a_loaded_machine_says_so_first() -> None:
    assert report({"turns": TURNS, "forced": True})["lines"][0] == LOADED


def test_a_plot_has_a_point_for_each_gateway_with_its_rounds() -> None:
    plots = report({"turns": TURNS, "forced": False})["plots"]
    assert plots["per_second"]["points"][1] == ["fastproxy", 4000, 4500, 5000]
    assert [name for name, *_ in plots["added_p50"]["points"]] == ["fastproxy", "LiteLLM"]
