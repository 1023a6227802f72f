"""Direct, bare relay and fastproxy, measured in turn (A B C A B C ...): medians, differences, ratios.

`python -m bench.interleave --rounds 5` prints the table and writes it, with every round, to `bench/results/`.
A figure means something only beside its neighbours of the same run; `±` is half the spread of the rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from testkit.mock import MockUpstream
from testkit.process import ROOT, Server
from testkit.proxy import FastproxyProcess

RESULTS = Path(__file__).resolve().parent / "results"
DIRECT, BARE, PROXY = "direct", "bare relay", "fastproxy"
Figures = dict[str, Any]
Rounds = dict[str, list[Figures]]
"""Target -> the load generator's figures, one for each round."""

CASES: dict[str, list[str]] = {
    "latency": ["unary", "--connections", "1", "--seconds", "1.5"],
    "throughput": ["unary", "--connections", "32", "--seconds", "2"],
    "streams": ["streams", "--connections", "300", "--rate", "50", "--seconds", "2"],
    "saturation": ["streams", "--connections", "32", "--rate", "0", "--events", "3000"],
    "many": ["streams", "--connections", "2000", "--rate", "2", "--seconds", "4"],
}
"""What the load generator is asked to do."""


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
    Row("event delay P50, 300 streams x 50/s", "streams", lambda f: f["delay_ms"]["p50"], "ms", True),
    Row("event delay P99, 300 streams x 50/s", "streams", lambda f: f["delay_ms"]["p99"], "ms", True),
    Row("first event P50, 300 streams", "streams", lambda f: f["first_event_ms"]["p50"], "ms", True),
    Row("events at saturation, 32 streams", "saturation", lambda f: f["events_per_second"], "/s"),
    Row("event delay P50, 2000 streams x 2/s", "many", lambda f: f["delay_ms"]["p50"], "ms", True),
    Row("failed of 2000 streams", "many", lambda f: f["failures"], ""),
)


def proxy_config(upstream: str) -> str:
    """fastproxy with everything on, in front of the mock as an OpenAI-compatible server."""
    return f"""
[providers.mock]
kind = "openai"
base_url = "{upstream}/v1"
[[routes]]
match = "bench-*"
provider = "mock"
"""


@dataclass(frozen=True, slots=True)
class Targets:
    """The running processes that are compared."""

    urls: dict[str, str]
    servers: dict[str, Server]


@contextmanager
def targets(without: Sequence[str] = ()) -> Iterator[Targets]:
    """Start the mock upstream, the bare relay and fastproxy; end them all."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as stack:
        mock = stack.enter_context(MockUpstream())
        servers: dict[str, Server] = {}
        if BARE not in without:
            servers[BARE] = stack.enter_context(Server("bench.bare_relay", ["--upstream", mock.url]))
        if PROXY not in without:
            servers[PROXY] = stack.enter_context(FastproxyProcess(proxy_config(mock.url)))
        yield Targets({DIRECT: mock.url} | {name: server.url for name, server in servers.items()}, servers)


def measure(case: str, urls: dict[str, str], rounds: int) -> Rounds:
    """Run a case against every target in turn, `rounds` times."""
    measured: Rounds = {name: [] for name in urls}
    for _ in range(rounds):
        for name, url in urls.items():
            measured[name].append(_generate_load(url, CASES[case]))
    return measured


def _generate_load(url: str, arguments: Sequence[str]) -> Figures:
    run = subprocess.run(
        [sys.executable, "-m", "bench.loadgen", *arguments, "--url", url],
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=120,
    )
    if run.returncode:
        raise RuntimeError(f"the load generator failed: {run.stderr.decode()[-2000:]}")
    figures: Figures = orjson.loads(run.stdout)
    return figures


def summarise(row: Row, measured: Rounds) -> Figures:
    """A row's figures: each target's median, spread and added part, and the ratio to the bare relay."""
    values = {name: [row.figure(figures) for figures in rounds] for name, rounds in measured.items()}
    summary: Figures = {"title": row.title, "unit": row.unit, "rounds": values, "median": {}, "spread": {}}
    summary["failures"] = {name: sum(f["failures"] for f in rounds) for name, rounds in measured.items()}
    for name, series in values.items():
        summary["median"][name] = median(series)
        summary["spread"][name] = (max(series) - min(series)) / 2
    if row.is_added:
        differences = {
            name: [value - base for value, base in zip(series, values[DIRECT], strict=True)]
            for name, series in values.items()
        }
        summary["added"] = {name: median(series) for name, series in differences.items() if name != DIRECT}
    if BARE in values and PROXY in values:
        summary["ratio"] = _ratio(summary["median"][PROXY], summary["median"][BARE])
        summary["ratio_rounds"] = list(map(_ratio, values[PROXY], values[BARE]))
        if row.is_added:
            summary["added_ratio"] = _ratio(summary["added"][PROXY], summary["added"][BARE])
            summary["added_ratio_rounds"] = list(map(_ratio, differences[PROXY], differences[BARE]))
    return summary


def _ratio(value: float, base: float) -> float | None:
    return value / base if base > 0 else None


def resources(servers: dict[str, Server]) -> Figures:
    """Start-up time and memory, of servers that have answered little so far."""
    return {
        name: {
            "start_seconds": server.start_seconds,
            "worker_rss_mib": server.worker_rss_bytes() / 2**20,
            "total_rss_mib": server.rss_bytes() / 2**20,
        }
        for name, server in servers.items()
    }


def table(summaries: Sequence[Figures], used: Figures) -> str:
    """The table as text: a row a figure, a column a target, then fastproxy's ratio to the bare relay."""
    names = [name for name in (DIRECT, BARE, PROXY) if name in summaries[0]["median"]]
    header = [f"{'':38}", *(f"{name:>22}" for name in names), f"{'x bare':>9}", f"{'added x bare':>13}"]
    lines = ["".join(header)]
    for summary in summaries:
        cells = [
            f"{'FAILED ' if summary['failures'][name] else ''}"
            f"{_number(summary['median'][name])} ±{_number(summary['spread'][name])} {summary['unit']:2}"
            for name in names
        ]
        ratios = [_times(summary.get("ratio")), _times(summary.get("added_ratio"))]
        row = [f"{summary['title']:38}", *(f"{cell:>22}" for cell in cells)]
        lines.append("".join([*row, f"{ratios[0]:>9}", f"{ratios[1]:>13}"]))
    lines += [
        f"{name}: first answer after {figures['start_seconds']:.2f} s; resident memory"
        f" {figures['worker_rss_mib']:.0f} MiB in the worker, {figures['total_rss_mib']:.0f} MiB in all"
        for name, figures in used.items()
    ]
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.3f}"


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def write_results(name: str, results: Figures) -> Path:
    """Write figures and what they were measured on to `bench/results/NAME.json`; the file's path."""
    parts = ("fastproxy", "granian", "orjson", "pyreqwest", "robyn", "uvloop")
    machine = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        # Other work on the machine spoils the figures: where this is high, do not quote them.
        "load_average": os.getloadavg(),
        "python": platform.python_version(),
        "versions": {part: version(part) for part in parts},
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_bytes(orjson.dumps({"machine": machine, **results}, option=orjson.OPT_INDENT_2) + b"\n")
    return path


def compare(cases: Sequence[str], rounds: int, without: Sequence[str] = ()) -> tuple[list[Figures], Figures]:
    """Start everything, run the cases; the rows' summaries, and the resources at the start."""
    with targets(without) as running:
        used = resources(running.servers)
        measured = {case: measure(case, running.urls, rounds) for case in cases}
    return [summarise(row, measured[row.case]) for row in ROWS if row.case in measured], used


def main() -> None:
    """Run the comparison from the command line."""
    parser = argparse.ArgumentParser(description="Compare direct, bare relay and fastproxy in turn.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--without", nargs="+", choices=[BARE, PROXY], default=[])
    parser.add_argument("--name", default="interleave", help="of the file in bench/results/")
    arguments = parser.parse_args()
    summaries, used = compare(arguments.cases, arguments.rounds, arguments.without)
    print(table(summaries, used))
    print(write_results(arguments.name, {"rows": summaries, "resources": used}))


if __name__ == "__main__":
    main()
