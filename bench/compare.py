"""fastproxy beside nginx, Envoy, LiteLLM and Portkey: the same work, one at a time, in turn (A B C A B C).

`make compare` installs what can be installed and runs it. Nothing is measured on a loaded machine, but with
`--force`, which marks the report. What was measured is kept: `--resume` goes on where a run was ended.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from bench import results
from bench.compare_report import report
from bench.figures import Figures
from bench.gateway_process import RunningGateway, version
from bench.gateways import GATEWAYS, Gateway, Place
from bench.http_bytes import headers_with
from bench.load import Load, Target, measure
from bench.quiet import LoadedError, sample_idle_share, wait_until_quiet
from bench.targets import DIRECT, raise_file_limit
from testkit.mock import MockUpstream

CASES: Mapping[str, Load] = {
    "latency": Load("unary", 1, 2.0),
    "throughput": Load("unary", 32, 3.0),
    "streams": Load("streams", 300, 2.0, rate=50),
}
WARM_UP = Load("unary", 8, 2.0)
IDLE_SECONDS = 1.0
OTHER_SECONDS = 5.0
"""Of a gateway's turn, apart from its cases: a look at the machine, start, idling, warming up, end."""
PARTIAL = "compare-partial"
_EXAMPLE = Place("http://UPSTREAM", 4000, ["bench-n1"])


def model_of(load: Load) -> str:
    """The model that this load asks for."""
    events = load.events or max(1, round(load.seconds * load.rate))
    return f"bench-n{events}-r{load.rate}" if load.mode == "streams" else "bench-n1"


class Comparison:
    """The rounds so far, and the next."""

    def __init__(self, gateways: Sequence[Gateway], cases: Mapping[str, Load], *, force: bool) -> None:
        self._gateways, self._cases, self._force = gateways, cases, force
        self._versions = {gateway.name: version(gateway) for gateway in gateways}
        self.turns: list[Figures] = []

    def takes_seconds(self, rounds: int) -> float:
        """About how long all of it takes."""
        one = sum(
            OTHER_SECONDS + sum(self._cases[case].takes_seconds for case in gateway.cases)
            for gateway in self._gateways
        )
        return rounds * (one + sum(load.takes_seconds for load in self._cases.values()))

    def run(self, rounds: int) -> None:
        """All turns that are not done yet; each is kept at once. Raises LoadedError."""
        done = {(turn["round"], turn["name"]) for turn in self.turns}
        with MockUpstream(remember=0) as mock:
            for number in range(rounds):
                for name in (DIRECT, *(gateway.name for gateway in self._gateways)):
                    if (number, name) in done:
                        continue
                    idle = sample_idle_share() if self._force else wait_until_quiet()
                    turn = {"round": number, "name": name, "idle_share_before": idle}
                    print(f"round {number + 1}: {name}", flush=True)
                    self.turns.append(turn | self._turn(name, mock))
                    results.RESULTS.mkdir(exist_ok=True)
                    _partial().write_bytes(orjson.dumps(self.turns))

    def _turn(self, name: str, mock: MockUpstream) -> Figures:
        try:
            return self._measured(name, mock)
        except RuntimeError as error:  # one that does not run is left out, and said to be
            print(f"{name} has no figures in this round: {error}", flush=True)
            return {"fault": str(error)}

    def _measured(self, name: str, mock: MockUpstream) -> Figures:
        if name == DIRECT:
            target = Target(mock.url, headers_with(""))
            return {"cases": {case: measure(load, target, mock.pid) for case, load in self._cases.items()}}
        gateway = next(gateway for gateway in self._gateways if gateway.name == name)
        models = sorted({model_of(load) for load in (*self._cases.values(), WARM_UP)})
        with RunningGateway(gateway, mock.url, models) as running:
            time.sleep(IDLE_SECONDS)
            idle = running.rss_mib()
            measure(self._warm_up(), running.target, mock.pid)
            cases = {case: measure(self._cases[case], running.target, mock.pid) for case in gateway.cases}
            rss = {"idle": idle, "after": running.rss_mib()}
            return {"start_seconds": running.start_seconds, "rss_mib": rss, "cases": cases}

    def _warm_up(self) -> Load:
        return WARM_UP.quick() if self._cases["latency"].seconds < 1 else WARM_UP

    def told(self, missing: Mapping[str, str]) -> Figures:
        """All of it as JSON."""
        gateways = {
            gateway.name: {
                "does": gateway.does,
                "version": self._versions[gateway.name],
                "command": " ".join(_shown(gateway)),
                "environment": dict(gateway.environment),
                "cases": list(gateway.cases),
            }
            for gateway in self._gateways
        }
        return {"gateways": gateways, "missing": dict(missing), "turns": self.turns, "forced": self._force}


def _shown(gateway: Gateway) -> list[str]:
    """The command as a user would type it."""
    return [
        gateway.program.rpartition("/")[2],
        *(word.rpartition("/node_modules/")[2] for word in gateway.arguments(_EXAMPLE)),
    ]


def _partial() -> Path:
    return results.RESULTS / f"{PARTIAL}.json"


def _arguments() -> argparse.Namespace:
    names = [gateway.name for gateway in GATEWAYS]
    parser = argparse.ArgumentParser(description="Compare fastproxy with other gateways.")
    add = parser.add_argument
    add("--rounds", type=int, default=3)
    add("--only", nargs="+", choices=names, default=names)
    add("--quick", action="store_true", help="a shadow of it, which shows only that everything works")
    add("--force", action="store_true", help="on a loaded machine, too; the report says so")
    add("--resume", action="store_true", help="go on where the last run was ended")
    return parser.parse_args()


def main() -> None:
    """Compare, show the tables, and write them."""
    arguments = _arguments()
    raise_file_limit()
    chosen = [gateway for gateway in GATEWAYS if gateway.name in arguments.only]
    missing = {gateway.name: gateway.install for gateway in chosen if not gateway.program}
    cases = {case: load.quick() if arguments.quick else load for case, load in CASES.items()}
    comparison = Comparison([gateway for gateway in chosen if gateway.program], cases, force=arguments.force)
    if arguments.resume and _partial().exists():
        comparison.turns = orjson.loads(_partial().read_bytes())
    for name, how in missing.items():
        print(f"{name} is left out, it is not installed: {how}")
    print(f"about {comparison.takes_seconds(arguments.rounds) / 60:.0f} minutes", flush=True)
    try:
        comparison.run(arguments.rounds)
    except LoadedError as error:
        sys.exit(f"{error} What was measured so far is kept: go on with --resume.")
    told = comparison.told(missing)
    told |= report(told)
    print(*told["lines"], sep="\n")
    print(results.write("compare-quick" if arguments.quick else "compare", told))
    _partial().unlink(missing_ok=True)


if __name__ == "__main__":
    main()
