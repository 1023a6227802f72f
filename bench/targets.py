"""The running processes that are compared: the mock upstream, the bare relay, and fastproxy with all on."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench.figures import Figures
from bench.http_bytes import headers_with
from bench.load import Load, Target, measure
from testkit.mock import MockUpstream
from testkit.process import Server
from testkit.proxy import FastproxyProcess

DIRECT, BARE, PROXY, PLAIN = "direct", "bare relay", "fastproxy", "fastproxy, plain"
API_KEY = "sk-bench-0123456789abcdef"
WARM_UP = Load("unary", 8, 1.0)

EVERYTHING_ON = f"""
[server]
log_level = "info"
log_format = "json"
[auth]
keys = [{{ name = "bench", key = "{API_KEY}" }}]
[limits]
requests_per_minute = 1000000000
tokens_per_minute = 1000000000
"""
"""A key that is checked, both limits, a line of JSON in a file for each request; metrics and circuit breaker
are on by themselves."""
AS_LITTLE_AS_CAN_BE = """
[server]
log_level = "error"
"""
"""No key, no limit, no log; the circuit breaker is turned off in the provider's own table."""


def provider(upstream: str, more: str = "") -> str:
    """The mock as an OpenAI-compatible server, and a route to it."""
    return f"""
[providers.mock]
kind = "openai"
base_url = "{upstream}/v1"
{more}
[[routes]]
match = "bench-*"
provider = "mock"
"""


def proxy_config(upstream: str) -> str:
    """fastproxy with everything on."""
    return EVERYTHING_ON + provider(upstream)


def plain_config(upstream: str) -> str:
    """fastproxy with everything off that can be."""
    return AS_LITTLE_AS_CAN_BE + provider(upstream, "breaker_failure_threshold = 0")


@dataclass(frozen=True, slots=True)
class Targets:
    """What is compared, by name, and the processes behind it."""

    all: Mapping[str, Target]
    servers: Mapping[str, Server]
    upstream_pid: int

    def measure(self, load: Load, rounds: int) -> dict[str, list[Figures]]:
        """This load on every target in turn, `rounds` times."""
        measured: dict[str, list[Figures]] = {name: [] for name in self.all}
        for _ in range(rounds):
            for name, target in self.all.items():
                measured[name].append(measure(load, target, self.upstream_pid))
        return measured


def raise_file_limit() -> None:
    """Lets this process and its children open as many sockets as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def targets(
    names: Sequence[str] = (DIRECT, BARE, PROXY), more: Mapping[str, Callable[[str], Server]] | None = None
) -> Iterator[Targets]:
    """Start the mock upstream and what stands before it; end them all.

    `more`: how others are started, given the upstream's URL.
    """
    starts = {name: _STARTS[name] for name in names if name != DIRECT} | dict(more or {})
    raise_file_limit()
    with ExitStack() as stack:
        mock = stack.enter_context(MockUpstream(remember=0))
        servers = {name: stack.enter_context(start(mock.url)) for name, start in starts.items()}
        direct = {DIRECT: Target(mock.url, headers_with(""))}
        before = {name: served(server) for name, server in servers.items()}
        yield Targets(direct | before, servers, mock.pid)


_STARTS: Mapping[str, Callable[[str], Server]] = {
    BARE: lambda upstream: Server("bench.bare_relay", ["--upstream", upstream]),
    PROXY: lambda upstream: FastproxyProcess(proxy_config(upstream)),
    PLAIN: lambda upstream: FastproxyProcess(plain_config(upstream)),
}


def served(server: Server) -> Target:
    """A server as a target. The key goes to all alike, so that all get the same bytes."""
    return Target(server.url, headers_with(API_KEY), server.pid)


def warm_up(running: Targets) -> None:
    """A second of load on each: what is made at the first request is made."""
    running.measure(WARM_UP, 1)


def resources(running: Targets) -> Figures:
    """Start-up time and memory, of servers that have answered little so far."""
    return {
        name: {
            "start_seconds": server.start_seconds,
            "worker_rss_mib": server.worker_rss_bytes() / 2**20,
            "total_rss_mib": server.rss_bytes() / 2**20,
        }
        for name, server in running.servers.items()
    }
