"""The claude CLI in tests and benchmarks: the fake one and the machine's own, and a proxy that uses them.

The CLI's Anthropic is the mock upstream. All that a proxy, its bridge and the CLI write lies in one folder,
which their environments name, so that whatever is left of them can be found.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from fastproxy.config.bridge import bundle
from testkit.process import ROOT, descendants, is_alive
from testkit.proxy import FastproxyProcess

FAKE = ROOT / "bridge" / "test" / "fake-claude.mjs"
KEY = "sk-ant-test-key"
_LISTENING = "0A"
"""A socket's state, as the kernel writes it."""
_TABLE = """
[providers.claude]
claude_bin = "{file}"
pool_size = {pool_size}
"""


@dataclass(frozen=True, slots=True)
class Cli:
    """A claude CLI."""

    name: str
    file: str
    missing: str
    """Why it cannot be used here; "" where it can."""


def fake_cli() -> Cli:
    """The one that lies beside the bridge."""
    return Cli("fake", str(FAKE), _missing_parts())


def real_cli() -> Cli:
    """The machine's own: FASTPROXY_TEST_CLAUDE_BIN, else `claude` on PATH."""
    file = os.environ.get("FASTPROXY_TEST_CLAUDE_BIN") or shutil.which("claude")  # noqa: TID251
    none = "no claude CLI: it is not on PATH, and FASTPROXY_TEST_CLAUDE_BIN is not set"
    return Cli("real", file or "", _missing_parts() or ("" if file else none))


def _missing_parts() -> str:
    if shutil.which("node") is None:
        return "no Node.js: the bridge to the claude CLI needs it"
    return "" if bundle() else "the bridge to the claude CLI is not built: make bridge"


class ClaudeProxy(FastproxyProcess):
    """fastproxy that keeps a bridge of its own to this CLI; it takes requests when the bridge does."""

    def __init__(
        self, cli: Cli, upstream: str, config: str = "", settings: str = "", pool_size: int = 2
    ) -> None:
        """`config` are tables of one's own, put first; `settings` are lines of the provider's table."""
        self.folder = Path(tempfile.mkdtemp(prefix="claude-proxy-"))
        table = _TABLE.format(file=cli.file, pool_size=pool_size) + settings
        try:
            super().__init__(
                f"{config}\n[providers.anthropic]\nenabled = false\n{table}",
                {
                    "FASTPROXY_PROVIDERS__CLAUDE__ENABLED": "true",
                    "TMPDIR": str(self.folder),
                    "ANTHROPIC_BASE_URL": upstream,
                    "ANTHROPIC_API_KEY": KEY,
                },
            )
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        self.pool_size = pool_size
        try:
            self.wait_until_warm()
        except BaseException:
            self.stop()
            raise

    def stop(self, timeout: float = 15.0, exit_code: int = 0) -> str:
        """Likewise; whatever runs or lies there is gone."""
        try:
            return super().stop(timeout, exit_code)
        finally:
            until(lambda: not self.processes())
            shutil.rmtree(self.folder)

    def processes(self) -> list[int]:
        """All processes that have to do with this proxy, the bridge's and the CLI's among them."""
        return [pid for pid in _pids() if _names(pid, str(self.folder))]

    def bridge_pid(self) -> int:
        """The bridge's process; raises LookupError where none runs."""
        for pid in descendants(self.pid):
            if b"fastproxy-bridge.cjs" in _read(pid, "cmdline"):
                return pid
        raise LookupError("no bridge runs")

    def cli_pids(self) -> set[int]:
        """The CLI's processes."""
        recorded = self.folder.glob("fastproxy-bridge-*/run-*/pids/*")
        return {int(file.name) for file in recorded if is_alive(int(file.name))}

    def bridge_health(self) -> dict[str, Any]:
        """What the bridge tells of itself, asked with the secret that it shares with the proxy; {} where it
        does not answer."""
        try:
            own = self._bridge_environment()
            url = f"http://127.0.0.1:{own['FASTPROXY_BRIDGE_PORT']}/health"
            headers = {"x-fastproxy-bridge-secret": own["FASTPROXY_BRIDGE_SECRET"]}
            with httpx.Client(trust_env=False, timeout=5) as client:
                told: dict[str, Any] = orjson.loads(client.get(url, headers=headers).content)
        except (LookupError, httpx.HTTPError):
            return {}
        return told

    def bridge_connections(self, pid: int) -> int:
        """How many connections between proxy and bridge this process of the two holds."""
        at_bridge = f":{int(self._bridge_environment()['FASTPROXY_BRIDGE_PORT']):04X}"
        rows = [row.split() for row in _read(pid, "net/tcp").decode().splitlines()[1:]]
        numbers = {
            f"socket:[{row[9]}]"
            for row in rows
            if at_bridge in (row[1][8:], row[2][8:]) and row[3] != _LISTENING
        }
        return len(numbers.intersection(open_files(pid)))

    def _bridge_environment(self) -> dict[str, str]:
        variables = _read(self.bridge_pid(), "environ").decode().split("\0")
        return dict(variable.split("=", 1) for variable in variables if "=" in variable)

    def wait_until_warm(self, seconds: float = 20.0) -> None:
        """Returns when nothing is busy and all spares are there."""
        until(self._is_warm, seconds)

    def _is_warm(self) -> bool:
        pool = self.bridge_health().get("pool") or {"queued": 1}
        at_rest = pool["queued"] == 0 and pool["busy"] == pool["starting"] == 0
        return at_rest and bool(pool["idle"] >= self.pool_size)


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Returns when it is so; an AssertionError when it did not come true in time."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise AssertionError(f"it did not come true within {seconds} s")
        time.sleep(0.02)


def open_files(pid: int) -> list[str]:
    """What a process holds open, as the kernel names it."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return found


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _names(pid: int, text: str) -> bool:
    """Whether a running process names this text in its arguments or its environment."""
    found = text.encode()
    return (found in _read(pid, "environ") or found in _read(pid, "cmdline")) and is_alive(pid)


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""
