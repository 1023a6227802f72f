"""What a request and an event cost, step by step, in CPU microseconds; and the same of the whole process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from bench import results
from bench.figures import Figures
from bench.goals import Goal
from bench.inside import EVENTS, Inside, cpu_us
from bench.load import Load
from bench.load import cpu_us as process_cpu_us
from bench.overhead import EVENT, GOALS, LARGE, SMALL, Subject, cpu_seconds, question
from bench.results import number
from bench.suite import Suite
from bench.targets import BARE, PROXY, Targets
from bench.test_overhead_anthropic import SUBJECT as ANTHROPIC
from bench.test_overhead_vertex import SUBJECT as VERTEX
from fastproxy.types import Deployment
from testkit.formats import OLLAMA

REQUESTS = Load("unary", 32, 2.0)
STREAMS = Load("streams", 300, 3.0, rate=50)
SUBJECTS: Mapping[str, Subject] = {
    "Gemini on Vertex AI": VERTEX,
    "Claude on Anthropic's API": ANTHROPIC,
    "Ollama": Subject(Deployment("ollama", "ollama", "llama3.2", ""), OLLAMA, str),
}
Steps = Mapping[str, Sequence[float]]
"""Step -> its CPU microseconds, in each run."""
HEADER = ("CPU of a step, µs", "best", "median")


def test_a_request_costs_its_steps(running: Targets, suite: Suite) -> None:
    runs = 1 if suite.plan.quick else 7
    steps = suite.measure("the steps of a request", 10, lambda: request_steps(runs))
    whole = _whole(running, suite, REQUESTS)
    goals = [Goal("the proxy's own CPU of a request, µs", [min(steps[OWN])], "<=", 300)]
    _tell("micro_request", suite, steps, whole, OWN, goals)


def test_an_event_costs_its_steps(running: Targets, suite: Suite) -> None:
    runs = 1 if suite.plan.quick else 7
    steps = suite.measure("the steps of an event", 10, lambda: event_steps(runs))
    whole = _whole(running, suite, STREAMS)
    goals = [Goal("the proxy's own CPU of an event, µs", [min(steps[RELAYED])], "<=", 20)]
    _tell("micro_event", suite, steps, whole, RELAYED, goals)


def test_a_translation_costs_what_it_may(suite: Suite) -> None:
    measured = suite.measure(
        "translations", 15, lambda: {name: cpu_seconds(subject) for name, subject in SUBJECTS.items()}
    )
    header = ["", SMALL, LARGE, EVENT]
    rows = [
        [name, *(number(min(seconds[title]) * GOALS[title][0]) for title in header[1:])]
        for name, seconds in measured.items()
    ]
    goals = [
        Goal(f"{name}: {title}", [min(seconds[title]) * scale], "<=", bound)
        for name, seconds in measured.items()
        for title, (scale, bound) in GOALS.items()
    ]
    figures = {"table": {"header": header, "rows": rows}}
    suite.report("micro_translation", [results.columns(header, rows)], goals, figures)


ATTEMPT, ANSWER = "attempt: its place, its deadline, the circuit", "answer: what it used, headers, body"
PIPELINE, JOURNAL, SERVER = (
    "the rest of the pipeline: places, records, ids",
    "journal: metrics and the log's line",
    "ASGI",
)
OWN = "all of it, without the network"
FED, RELAYED = "check: may it pass as it is", "relay and ASGI, without the network"
NETWORK = "HTTP to both sides: Granian, pyreqwest, the loop, the kernel"


def request_steps(runs: int) -> dict[str, Sequence[float]]:
    """Each step of a unary request, and what is left of the whole when they are taken away."""
    inside = Inside(question("bench-n1"))
    steps: dict[str, Sequence[float]] = {
        name: cpu_us(work, runs=runs) for name, work in inside.steps().items()
    }
    attempt, answered = (cpu_us(work, runs=runs) for work in (inside.attempt, inside.answered))
    *before, build = steps.values()
    pipeline = cpu_us(inside.through_pipeline, runs=runs)
    inside.records.clear()
    server = cpu_us(inside.through_asgi, runs=runs)
    records = list(inside.records)[-100:]

    def tell() -> None:
        inside.records[:] = records
        inside.tell()

    journal = cpu_us(tell, times=20, parts=len(records), runs=runs)
    steps[ATTEMPT], steps[ANSWER] = _left(attempt, [build]), _left(answered, [attempt])
    steps[PIPELINE] = _left(pipeline, [*before, answered])
    steps[SERVER] = _left(server, [pipeline])
    steps[JOURNAL] = journal
    steps[OWN] = [own + told for own, told in zip(server, journal, strict=True)]
    return steps


def event_steps(runs: int) -> dict[str, Sequence[float]]:
    """What an event of a stream costs: the check alone, and the whole way without the network."""
    inside = Inside(question("bench-n1") | {"stream": True})
    fed = cpu_us(inside.feed_events, times=10, parts=EVENTS, runs=runs)
    relayed = cpu_us(inside.through_asgi, times=10, parts=EVENTS, runs=runs)
    return {FED: fed, "relay: read, watchdog, send": _left(relayed, [fed]), RELAYED: relayed}


def _left(whole: Sequence[float], parts: Iterable[Sequence[float]]) -> list[float]:
    """What is left of the best and of the median of the whole; negative where the parts were unlucky."""
    series = list(parts)
    return [min(whole) - sum(map(min, series)), median(whole) - sum(map(median, series))]


def _whole(running: Targets, suite: Suite, load: Load) -> dict[str, list[float]]:
    """CPU microseconds of the whole processes, for the same work with its network."""
    suite.say(f"the same with its network: about {suite.takes_seconds([load], 3):.0f} s")
    measured = running.measure(suite.plan.load(load), suite.plan.rounds)
    return {name: [process_cpu_us(figures) for figures in measured[name]] for name in (BARE, PROXY)}


def _tell(name: str, suite: Suite, steps: Steps, whole: Steps, own: str, goals: list[Goal]) -> None:
    rows = [[step, number(min(series)), number(median(series))] for step, series in steps.items()]
    network = _left(whole[PROXY], [steps[own]])
    rows.append([NETWORK, number(network[0]), number(network[1])])
    rows += [
        [f"the whole process, {process}", number(min(series)), number(median(series))]
        for process, series in whole.items()
    ]
    figures: Figures = {
        "table": {"header": list(HEADER), "rows": rows},
        "steps": dict(steps),
        "whole": dict(whole),
    }
    suite.report(name, [results.columns(HEADER, rows)], goals, figures)
