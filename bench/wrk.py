"""The load generator `wrk` (Debian's package of that name), driven by a script that tells figures as JSON."""

from __future__ import annotations

import math
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import orjson

from bench.figures import Figures
from bench.http_bytes import PATH, chat_body

BINARY = shutil.which("wrk")
"""None: it is not installed, and our own generator does its work."""

_SCRIPT = """
wrk.method = "POST"
wrk.path = "%(path)s"
wrk.body = [==[%(body)s]==]
%(headers)s
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{"requests":%%d,"seconds":%%f,"failures":%%d,"p50":%%d,"p90":%%d,"p99":%%d,"max":%%d}',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
"""


def script(headers: Mapping[str, str], size: int) -> str:
    """The Lua script of a load: the requests it sends, and what it writes at its end."""
    body = orjson.dumps(chat_body("bench-n1", size=size)).decode()
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    return _SCRIPT % {"path": PATH, "body": body, "headers": "\n".join(lines)}


def run(url: str, headers: Mapping[str, str], connections: int, seconds: float, size: int) -> Figures:
    """The figures of closed loops on this many connections. Raises RuntimeError where wrk fails.

    wrk counts from the start: what is measured must be warm.
    """
    before = _buried_cpu_seconds()
    with tempfile.TemporaryDirectory(prefix="wrk-") as folder:
        file = Path(folder) / "load.lua"
        file.write_text(script(headers, size), "utf-8")
        command = [BINARY or "wrk", "-t1", f"-c{connections}", f"-d{math.ceil(seconds)}s", "--timeout", "20s"]
        done = subprocess.run(
            [*command, "-s", str(file), url], capture_output=True, check=False, timeout=60 + seconds
        )
    if done.returncode:
        raise RuntimeError(f"wrk failed: {done.stderr.decode()[-2000:]}{done.stdout.decode()[-500:]}")
    return read(done.stdout) | {"generator_cpu_seconds": _buried_cpu_seconds() - before}


def read(output: bytes) -> Figures:
    """The figures in what the script wrote last."""
    told = orjson.loads(output[output.rindex(b"{") :])
    return {
        "requests": told["requests"],
        "answered": told["requests"],
        "failures": told["failures"],
        "per_second": told["requests"] / told["seconds"],
        "latency_ms": {name: told[name] / 1000 for name in ("p50", "p90", "p99", "max")},
    }


def _buried_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
