"""Writes the measured parts of docs/performance.md, and its plots, anew from `bench/results/`.

The page's words are written by hand; a table stands between `<!-- measured: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench import results
from bench.chart import dot_chart
from bench.compare_report import LOADED
from bench.figures import Figures
from bench.results import markdown, number, times
from bench.targets import PROXY
from testkit.process import ROOT

PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
PART = re.compile(r"(<!-- measured: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
SOURCES = (
    "overhead_passthrough_calls",
    "overhead_passthrough",
    "overhead_vertex",
    "overhead_anthropic",
    "overhead_bridge",
    "overhead_bridge_fake",
    "streaming",
    "scaling_body",
    "scaling_connections",
    "scaling_streams",
    "scaling_workers",
    "memory",
    "start",
    "micro_request",
    "micro_event",
    "micro_translation",
    "compare",
)
"""The files of `bench/results/` that the page quotes; they are kept beside it."""
_WITHOUT_GOALS = ("scaling_body", "scaling_connections", "scaling_streams", "micro_translation")
"""Those of them whose many goals would fill the page's table."""
_SIGNS = {"<=": "≤", ">=": "≥"}
_KINDS = ("contract", "floor", "target", "stretch")
_VERDICTS = {"met": "met", "NOT met": "**not met**", "unclear": "unclear: the rounds disagree"}
Sources = Mapping[str, Figures]


def goals(sources: Sources) -> str:
    """The goals, the contract's first: what is wanted, what was measured, in which rounds."""
    ordered = sorted(_all_goals(sources), key=lambda goal: _KINDS.index(goal["kind"]))
    rows = [
        [
            goal["what"],
            f"{_SIGNS[goal['wanted'][:2]]}{goal['wanted'][2:]} ({goal['kind']})",
            *_measured(goal),
            _VERDICTS[goal["verdict"]],
        ]
        for goal in ordered
    ]
    return markdown(["what", "wanted", "measured", "rounds", "verdict"], rows)


def _all_goals(sources: Sources) -> Iterator[Figures]:
    seen: set[tuple[str, str, str]] = set()
    for name in (name for name in sources if name not in _WITHOUT_GOALS):
        for goal in sources[name].get("goals", []):
            if (key := (goal["what"], goal["wanted"], goal["kind"])) not in seen:
                seen.add(key)
                yield goal


def _measured(goal: Figures) -> list[str]:
    known = [value for value in goal["rounds"] if value is not None]
    figure = "" if goal["figure"] is None else number(goal["figure"])
    return [figure, f"{number(min(known))} to {number(max(known))}" if len(known) > 1 else ""]


def rows(name: str) -> Callable[[Sources], str]:
    """The table of a suite that compares the direct call, the bare relay and fastproxy."""

    def table(sources: Sources) -> str:
        measured = sources[name]["rows"]
        targets = list(measured[0]["median"])
        header = ["", *targets, "x bare relay", "added, x bare relay"]
        return markdown(header, [_row(row, targets) for row in measured])

    return table


def _row(row: Figures, targets: list[str]) -> list[str]:
    cells = [
        f"{number(row['median'][name])} ±{number(row['spread'][name])} {row['unit']}".strip()
        for name in targets
    ]
    return [row["title"], *cells, times(row.get("ratio")), times(row.get("added_ratio"))]


def table(*names: str) -> Callable[[Sources], str]:
    """The tables that suites have made themselves, one after the other."""
    return lambda sources: "\n\n".join(
        markdown(sources[name]["table"]["header"], sources[name]["table"]["rows"]) for name in names
    )


def workers(sources: Sources) -> str:
    """One worker and two, and who used the processors meanwhile."""
    lines = [line for line in sources["scaling_workers"]["lines"] if line.startswith("processors used, ")]
    shares = [f"- {line.removeprefix('processors used, ')}" for line in lines]
    told = [table("scaling_workers")(sources), "", "Processors in use, on the average of the rounds:", ""]
    return "\n".join(told + shares)


def providers(sources: Sources) -> str:
    """What the way through each provider adds to the direct call."""
    names = {"overhead_vertex": "Gemini on Vertex AI", "overhead_anthropic": "Claude on Anthropic's API"}
    lines = [
        [f"{title}: {what}", number(f["added"]), number(f["of_the_difference"]["p99"])]
        for source, title in names.items()
        if source in sources
        for what, f in sources[source]["added"].items()
    ]
    bridges = [sources[name] for name in ("overhead_bridge", "overhead_bridge_fake") if name in sources]
    lines += [
        [f"{source['cli']}: {what}", number(f["P50"]), f"{number(f['P90'])} (P90)"]
        for source in bridges
        for what, f in source["added"].items()
    ]
    return markdown(["", "added, P50, ms", "P99 of the difference, ms"], lines)


def compared(sources: Sources) -> str:
    """The table of the gateways, its plots, and how each was started."""
    source = sources["compare"]
    told = [f"**{LOADED}**", ""] if source["forced"] else []
    told += [table("compare")(sources), ""]
    told += [f"![{plot['title']}](images/compare-{key}.svg)" for key, plot in source["plots"].items()]
    told += [
        "",
        markdown(["", "version", "what it does to a request", "how it was started"], _started(source)),
    ]
    told += [f"\nLeft out, not installed: {name}." for name in source["missing"]]
    return "\n".join(told)


def _started(source: Figures) -> list[list[str]]:
    return [
        [name, gateway["version"], gateway["does"], f"`{' '.join([*_pairs(gateway), gateway['command']])}`"]
        for name, gateway in source["gateways"].items()
    ]


def _pairs(gateway: Figures) -> list[str]:
    return [f"{name}={value}" for name, value in gateway["environment"].items()]


def machine(sources: Sources) -> str:
    """What it was measured on."""
    found = max((source["machine"] for source in sources.values()), key=lambda told: str(told["when"]))
    versions = ", ".join(f"{part} {number}" for part, number in found["versions"].items())
    generator = "`wrk` and our own" if found["generator"] == "wrk" else "our own"
    return (
        f"{found['processors']} processors ({found['processor']}), {found['memory_gib']} GiB, "
        f"{found['system']}, Python {found['python']}; {versions}; load generator: {generator}; "
        f"{found['when'][:10]}."
    )


PARTS: Mapping[str, Callable[[Sources], str]] = {
    "machine": machine,
    "goals": goals,
    "passthrough": rows("overhead_passthrough"),
    "streaming": rows("streaming"),
    "providers": providers,
    "request": table("micro_request"),
    "event": table("micro_event"),
    "translation": table("micro_translation"),
    "scaling": table("scaling_body", "scaling_connections", "scaling_streams"),
    "workers": workers,
    "memory": table("memory"),
    "compare": compared,
}
"""Name in the page -> what stands there."""


def filled(page: str, sources: Sources) -> str:
    """The page with every measured part written anew; a part without its results stays as it is."""

    def part(match: re.Match[str]) -> str:
        try:
            return f"{match[1]}{PARTS[match[2]](sources)}\n{match[3]}"
        except KeyError as missing:
            print(f"{match[2]}: stays as it is, there is no result {missing}")
            return match[0]

    return PART.sub(part, page)


def draw(source: Figures, folder: Path) -> None:
    """Writes the comparison's plots."""
    folder.mkdir(exist_ok=True)
    for key, plot in source["plots"].items():
        points = [(str(name), low, middle, high) for name, low, middle, high in plot["points"]]
        (folder / f"compare-{key}.svg").write_text(dot_chart(plot["title"], points, PROXY), "utf-8")


def main() -> None:
    """Write the page and the plots anew."""
    sources = {name: found for name in SOURCES if (found := results.read(name)) is not None}
    PAGE.write_text(filled(PAGE.read_text("utf-8"), sources), "utf-8")
    if "compare" in sources:
        draw(sources["compare"], IMAGES)
    print(PAGE)


if __name__ == "__main__":
    main()
