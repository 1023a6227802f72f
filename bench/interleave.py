"""Direct, bare relay and fastproxy, measured in turn (A B C A B C ...): medians, differences, ratios.

`python -m bench.interleave --rounds 5` prints the table and writes it, with every round, to `bench/results/`.
A figure means something only beside its neighbours of the same run; `±` is half the spread of the rounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench import results
from bench.figures import Figures, Rounds, differences, half_spread, medians, middle, ratio, ratios
from bench.load import Load, cpu_us
from bench.results import number, times
from bench.targets import BARE, DIRECT, PLAIN, PROXY, Targets, resources, targets, warm_up

CASES: dict[str, Load] = {
    "latency": Load("unary", 1, 1.5),
    "throughput": Load("unary", 32, 4.0),
    "streams": Load("streams", 300, 2.0, rate=50),
    "saturation": Load("streams", 32, 0.5, events=3000),
    "many": Load("streams", 2000, 3.0, rate=10),
}
"""What the load generator is asked to do. A worker that had to share its processor a moment ago takes up to
half a second to see that it need not any more: so much of its throughput is not its steady one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a figure of one case."""

    title: str
    case: str
    figure: Callable[[Figures], float]
    unit: str
    is_added: bool = False
    """What counts is what a relay adds to `direct`, not the figure itself."""


ROWS = (
    Row("unary P50, 1 connection", "latency", lambda f: f["latency_ms"]["p50"], "ms", True),
    Row("unary P99, 1 connection", "latency", lambda f: f["latency_ms"]["p99"], "ms", True),
    Row("requests, 32 connections", "throughput", lambda f: f["per_second"], "/s"),
    Row("CPU of a request, 32 connections", "throughput", cpu_us, "µs"),
    Row("event delay P50, 300 streams x 50/s", "streams", lambda f: f["delay_ms"]["p50"], "ms", True),
    Row("event delay P99, 300 streams x 50/s", "streams", lambda f: f["delay_ms"]["p99"], "ms", True),
    Row("first event P50, 300 streams", "streams", lambda f: f["first_event_ms"]["p50"], "ms", True),
    Row("CPU of an event, 300 streams", "streams", cpu_us, "µs"),
    Row("events at saturation, 32 streams", "saturation", lambda f: f["events_per_second"], "/s"),
    Row("event delay P50, 2000 streams x 10/s", "many", lambda f: f["delay_ms"]["p50"], "ms", True),
    Row("failed of 2000 streams", "many", lambda f: f["failures"], ""),
)


def summarise(row: Row, measured: Rounds) -> Figures:
    """A row's figures: each target's median, spread and added part, and the ratio to the bare relay."""
    values = {name: [row.figure(figures) for figures in rounds] for name, rounds in measured.items()}
    summary: Figures = {"title": row.title, "unit": row.unit, "rounds": values}
    summary["failures"] = {name: sum(f["failures"] for f in rounds) for name, rounds in measured.items()}
    summary["median"] = medians(values)
    summary["spread"] = {name: half_spread(series) for name, series in values.items()}
    added = {name: differences(series, values[DIRECT]) for name, series in values.items() if name != DIRECT}
    if row.is_added:
        summary["added"] = medians(added)
        summary["added_rounds"] = added
    if BARE in values and PROXY in values:
        summary["ratio"] = ratio(summary["median"][PROXY], summary["median"][BARE])
        summary["ratio_rounds"] = ratios(values[PROXY], values[BARE])
        if row.is_added:
            summary["added_ratio_rounds"] = ratios(added[PROXY], added[BARE])
            summary["added_ratio"] = middle(summary["added_ratio_rounds"])
    return summary


def summaries(measured: Mapping[str, Rounds]) -> list[Figures]:
    """The rows of the cases that were measured."""
    return [summarise(row, measured[row.case]) for row in ROWS if row.case in measured]


def table(rows: Sequence[Figures], used: Figures) -> str:
    """The table as text: a row a figure, a column a target, then fastproxy's ratio to the bare relay."""
    names = list(rows[0]["median"])
    header = ["", *names, "x bare", "added x bare"]
    lines = [results.columns(header, [_cells(row, names) for row in rows])]
    lines += [
        f"{name}: first answer after {figures['start_seconds']:.2f} s; resident memory"
        f" {figures['worker_rss_mib']:.0f} MiB in the worker, {figures['total_rss_mib']:.0f} MiB in all"
        for name, figures in used.items()
    ]
    return "\n".join(lines)


def _cells(row: Figures, names: Sequence[str]) -> list[str]:
    measured = [
        f"{'FAILED ' if row['failures'][name] else ''}"
        f"{number(row['median'][name])} ±{number(row['spread'][name])} {row['unit']:2}"
        for name in names
    ]
    return [row["title"], *measured, times(row.get("ratio")), times(row.get("added_ratio"))]


def shares(measured: Rounds) -> list[str]:
    """How the processors' time of each target's measurements was shared, a line a target."""
    lines = []
    for name, rounds in measured.items():
        seconds = {
            part: sum(f["cpu"][part] for f in rounds)
            for part in ("target", "upstream", "generator", "others")
        }
        elapsed = sum(f["elapsed_seconds"] for f in rounds)
        told = ", ".join(f"{part} {used / elapsed:.2f}" for part, used in seconds.items())
        lines.append(f"processors used, {name}: {told}")
    return lines


def compare(cases: Mapping[str, Load], running: Targets, rounds: int) -> dict[str, Rounds]:
    """Runs the cases one after the other, each on all targets in turn."""
    return {case: running.measure(load, rounds) for case, load in cases.items()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare direct, bare relay and fastproxy in turn.")
    add = parser.add_argument
    add("--rounds", type=int, default=5)
    add("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    add("--without", nargs="+", choices=[BARE, PROXY], default=[])
    add("--plain", action="store_true", help="beside it, fastproxy with everything off that can be")
    add("--quick", action="store_true", help="a shadow of it, which shows only that everything works")
    add("--name", default="interleave", help="of the file in bench/results/")
    return parser.parse_args()


def main() -> None:
    """Run the comparison from the command line."""
    arguments = _arguments()
    names = [name for name in (DIRECT, BARE, PROXY) if name not in arguments.without]
    names += [PLAIN] if arguments.plain else []
    cases = {case: CASES[case].quick() if arguments.quick else CASES[case] for case in arguments.cases}
    seconds = sum(load.takes_seconds for load in cases.values()) * len(names) * arguments.rounds
    print(f"{', '.join(cases)}: about {seconds:.0f} s", flush=True)
    with targets(names) as running:
        used = resources(running)
        warm_up(running)
        measured = compare(cases, running, arguments.rounds)
    rows = summaries(measured)
    told = shares(measured["throughput"]) if "throughput" in measured else []
    print(table(rows, used), *told, sep="\n")
    print(results.write(arguments.name, {"rows": rows, "resources": used, "shares": told}))


if __name__ == "__main__":
    main()
