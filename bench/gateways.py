"""The gateways that are compared: where each is installed, how it is started, what it does to a request."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bench import gateway_configs as configs
from bench.http_bytes import headers_with
from bench.targets import API_KEY, proxy_config
from testkit.process import ROOT

CACHE = ROOT / ".cache" / "compare"
_PORTKEY = CACHE / "portkey" / "node_modules" / "@portkey-ai" / "gateway"
_FASTPROXY_ENVIRONMENT = {"FASTPROXY_PROVIDERS__CLAUDE__ENABLED": "false"}

_LITELLM_VERSION = "from importlib.metadata import version; print(version('litellm'))"
PLAIN_PROXY = "passes bytes on; looks at no body, checks no key"


class Place(NamedTuple):
    """Where a gateway is started."""

    upstream: str
    port: int
    models: Sequence[str]
    """The names that requests will have."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """One of them, in one form."""

    name: str
    does: str
    program: str
    """The file that runs; empty where it is not installed."""
    install: str
    """How it is installed, for who has it not."""
    arguments: Callable[[Place], Sequence[str]]
    version: Sequence[str]
    """The command that tells its version."""
    files: Callable[[Place], Mapping[str, str]] = lambda _place: {}
    headers: Callable[[Place], Mapping[str, str]] = lambda _place: headers_with(API_KEY)
    environment: Mapping[str, str] = field(default_factory=dict)
    cases: Sequence[str] = ("latency", "throughput", "streams")
    start_timeout: float = 30.0

    def command(self, place: Place) -> list[str]:
        """What is started, in a folder that holds `files`."""
        return [self.program, *self.arguments(place)]


def _found(file: Path) -> str:
    return str(file) if file.exists() else ""


def _fastproxy() -> Gateway:
    return Gateway(
        "fastproxy",
        "reads the body, checks a key and two limits, breaker, metrics, a line in the log",
        sys.executable,
        "it is here",
        lambda place: [
            *("-m", "fastproxy", "serve", "--config", "fastproxy.toml"),
            *("--host", "127.0.0.1", "--port", str(place.port)),
        ],
        (sys.executable, "-m", "fastproxy", "--version"),
        files=lambda place: {"fastproxy.toml": proxy_config(place.upstream)},
        environment=_FASTPROXY_ENVIRONMENT,
    )


def _bare_relay() -> Gateway:
    return Gateway(
        "bare relay",
        "reads the body and passes it on: 30 lines on fastproxy's own parts, without a feature",
        sys.executable,
        "it is here",
        lambda place: ["-m", "bench.bare_relay", "--upstream", place.upstream, "--port", str(place.port)],
        ("echo", "bench/bare_relay.py"),
    )


def _nginx(workers: str, name: str, cases: Sequence[str]) -> Gateway:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or ""
    return Gateway(
        name,
        PLAIN_PROXY,
        program,
        "apt-get install nginx-light",
        lambda _place: ["-p", ".", "-e", "stderr", "-c", "nginx.conf"],
        (program, "-v"),
        files=lambda place: {"nginx.conf": configs.nginx(place.upstream, place.port, workers)},
        cases=cases,
    )


def _envoy(concurrency: Sequence[str], name: str, cases: Sequence[str]) -> Gateway:
    program = _found(CACHE / "envoy" / "bin" / "envoy")
    return Gateway(
        name,
        PLAIN_PROXY,
        program,
        "python -m bench.fetch_gateways",
        lambda _place: ["-c", "envoy.json", *concurrency, "--disable-hot-restart", "-l", "error"],
        (program, "--version"),
        files=lambda place: {"envoy.json": configs.envoy(place.upstream, place.port)},
        cases=cases,
    )


# without gunicorn, uvicorn ends workers that take longer to start than it allows, again and again
def _litellm(workers: Sequence[str], name: str, cases: Sequence[str]) -> Gateway:
    return Gateway(
        name,
        "reads and rewrites the body, checks a key, routes",
        _found(CACHE / "litellm" / "bin" / "litellm"),
        "python -m bench.fetch_gateways",
        lambda place: [
            *("--config", "config.yaml", "--host", "127.0.0.1", "--port", str(place.port)),
            *(*workers, "--telemetry", "False"),
        ],
        # not the program itself, which takes seconds to load for it
        (str(CACHE / "litellm" / "bin" / "python"), "-c", _LITELLM_VERSION),
        files=lambda place: {"config.yaml": configs.litellm(place.upstream, place.models)},
        # as its page on production has it; the last: its prices would be fetched from the internet at start
        environment={
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
        cases=cases,
        start_timeout=120.0,
    )


def _portkey() -> Gateway:
    return Gateway(
        "Portkey",
        "reads and rewrites the body, routes by headers; checks no key of its own",
        (shutil.which("node") or "") if _PORTKEY.exists() else "",
        "python -m bench.fetch_gateways (needs npm)",
        lambda place: [str(_PORTKEY / "build" / "start-server.js"), f"--port={place.port}", "--headless"],
        ("node", "-p", f"require({str(_PORTKEY / 'package.json')!r}).version"),
        headers=lambda place: configs.portkey_headers(place.upstream),
        environment={"NODE_ENV": "production"},
    )


_ALL: Sequence[str] = ("latency", "throughput", "streams")
_THROUGHPUT: Sequence[str] = ("throughput",)

GATEWAYS: Sequence[Gateway] = (
    _bare_relay(),
    _fastproxy(),
    _nginx("1", "nginx", _ALL),
    _envoy(["--concurrency", "1"], "Envoy", _ALL),
    _litellm(["--num_workers", "1"], "LiteLLM", _ALL),
    _portkey(),
    _nginx("auto", "nginx, a worker a core", _THROUGHPUT),
    _envoy([], "Envoy, a worker a core", _THROUGHPUT),
    _litellm(["--run_gunicorn", "--num_workers", "2"], "LiteLLM, two workers", _THROUGHPUT),
)
"""One worker each, but the last, which are in the form that uses all cores of a machine with two."""
