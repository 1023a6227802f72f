"""The files of `bench/results/`: what was measured, on what machine, with which versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import orjson

from bench import wrk
from bench.figures import Figures
from bench.quiet import sample_idle_share

RESULTS = Path(__file__).resolve().parent / "results"
_PARTS = ("fastproxy", "granian", "orjson", "pyreqwest", "robyn", "uvloop")
_GIB = 2**30


def machine() -> Figures:
    """What the figures were measured on, and how busy it is with other things at this moment."""
    kernel = ".".join(platform.release().split(".")[:2])
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {kernel} {platform.machine()}",
        "processor": processor_name(Path("/proc/cpuinfo").read_text()),
        "processors": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB, 1),
        # Other work on the machine spoils the figures: where this is high, or low, do not quote them.
        "load_average": os.getloadavg(),
        "idle_share_after": sample_idle_share(),
        "python": platform.python_version(),
        "generator": "wrk" if wrk.BINARY else "bench.loadgen",
        "versions": {part: version(part) for part in _PARTS},
    }


def processor_name(cpuinfo: str) -> str:
    """The name in the text of /proc/cpuinfo; empty where it names none."""
    names = (line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name"))
    return next(names, "")


def write(name: str, results: Figures) -> Path:
    """Writes `bench/results/NAME.json`, with the machine; the file's path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_bytes(orjson.dumps({"machine": machine(), **results}, option=orjson.OPT_INDENT_2) + b"\n")
    return path


def read(name: str) -> Figures | None:
    """What was written last under this name; None where nothing was."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return None
    results: Figures = orjson.loads(path.read_bytes())
    return results


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left and the others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same table for a terminal."""
    table = [header, *rows]
    widths = [max(len(row[index]) for row in table) for index in range(len(header))]
    return "\n".join(
        "  ".join(cell.rjust(width) if index else cell.ljust(width) for index, (cell, width) in cells)
        for cells in (list(enumerate(zip(row, widths, strict=True))) for row in table)
    )


def number(value: float) -> str:
    """A number with as many places as it is worth."""
    if value == 0:
        return "0"
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{places}f}"


def times(ratio: float | None) -> str:
    """A ratio; nothing where there is none."""
    return "" if ratio is None else f"{ratio:.2f}"
