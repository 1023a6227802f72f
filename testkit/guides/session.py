"""One page tried as a reader would: a terminal that keeps its variables, in a checkout of the page's own.

The ports that guides name are replaced by free ones, and the providers' addresses by the mock's, so that
nothing leaves the machine and nobody's own proxy is asked.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Self

import orjson

from fastproxy.config import ConfigError
from testkit.guides.blocks import Block
from testkit.guides.changes import apply
from testkit.guides.reading import check_shell_syntax, read
from testkit.guides.running import Running
from testkit.mock import MockUpstream
from testkit.process import ROOT, clean_environment, free_port
from testkit.vertex import service_account

PROXY_PORT = "4000"
_SHELLS = ("sh", "bash", "console")
_LIVE = f"http://127.0.0.1:{PROXY_PORT}/health/live"
_TAKES_LONG = re.compile(r"(^|&&|;)\s*(\w+=\S+ +)*(\S+/)?(make|pip|npm|npx|git)\b", re.MULTILINE)
_SERVES = re.compile(r"\b(fastproxy serve|make run)\b[^;&|]*\Z")
"""Ends in a server: goes on in the background without being told."""
_MAKE_RUN = re.compile(r'make run(?: ARGS="([^"]*)")?')
_KEEP_VARIABLES = "trap 'status=$?; env -0 > \"$GUIDE_STATE\"; exit $status' EXIT\n"
_NOT_KEPT = ("GUIDE_STATE", "SHLVL", "PWD", "OLDPWD", "_")
_START_SECONDS = {True: 20.0, False: 300.0}
"""By whether this is the short form: in the long one `make run` installs first."""


class GuideError(AssertionError):
    """What a page promises does not happen."""


class Session:
    """One page's checkout, variables and servers; a context that ends whatever it started."""

    def __init__(
        self, mock: MockUpstream, folder: Path, *, venv: Path | None = None, short: bool = False
    ) -> None:
        """`venv` stands in for the checkout's .venv; without it the page makes its own. `short`: what
        installs or builds is only read, and `make run` starts what is installed already."""
        self._short, self._folder = short, folder
        self.checkout = folder / "checkout"
        self._ports = {
            PROXY_PORT: free_port(),
            "4001": free_port(),
            "8001": free_port(),
            "8000": mock.port,
            "11434": mock.port,
        }
        before = ("127.0.0.1:", "localhost:", "PORT=", "--port ", "port = ")
        behind = "|".join(f"(?<={re.escape(text)})" for text in before)
        self._port_pattern = re.compile(rf"({behind})({'|'.join(self._ports)})\b")
        self._copy_files()
        if venv is not None:
            (self.checkout / ".venv").symlink_to(venv)
        self._bin = self.checkout / ".venv" / "bin"
        self._environment = self._first_environment(mock)
        self._proxy: Running | None = None
        self._started: list[Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for running in self._started:
            running.end()

    def run(self, block: Block, timeout: float) -> str:
        """Tries one block; how. Raises GuideError where it does not do what the page says."""
        try:
            return self._run(block, timeout)
        except (ValueError, ConfigError, RuntimeError) as error:
            raise GuideError(f"{block}\n{error}") from None

    def _run(self, block: Block, timeout: float) -> str:
        remarks = block.remarks
        if "skip" in remarks:
            return f"skipped: {remarks['skip']}"
        if "file" in remarks:
            self._write(remarks["file"], block.text)
            return "written"
        if block.language == "diff":
            apply(block.text, self.checkout)
            return "applied"
        if block.language not in (*_SHELLS, "python"):
            return self._read(block)
        if "background" in remarks or ("fails" not in remarks and _SERVES.search(block.commands)):
            return self._serve(block.commands, remarks.get("background", ""))
        if self._short and ("long" in remarks or _TAKES_LONG.search(block.commands)):
            check_shell_syntax(block)
            return "left to the long form"
        if re.search(rf"(127\.0\.0\.1|localhost):{PROXY_PORT}\b", block.text):
            self._need_proxy()
        return self._execute(block, timeout)

    def _read(self, block: Block) -> str:
        told = read(block)
        if "config" in block.remarks:
            self._write(block.remarks["config"], block.text)
            self._end_proxy()
        return told

    def _write(self, name: str, text: str) -> None:
        file = self.checkout / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self._with_ports(text), "utf-8")

    def _execute(self, block: Block, timeout: float) -> str:
        state = self._folder / "state"
        text = self._with_ports(block.commands)
        shell = ["bash", "-e", "-o", "pipefail", "-c", _KEEP_VARIABLES + text]
        command = [str(self._bin / "python"), "-c", text] if block.language == "python" else shell
        running = self._start(command, {"GUIDE_STATE": str(state)})
        try:
            code = running.wait(timeout)
        finally:
            running.end()
        self._judge(block, code, running.output())
        self._keep_variables(state)
        return "ran"

    def _start(self, command: list[str], more: dict[str, str]) -> Running:
        output = self._folder / f"output-{len(self._started)}.txt"
        running = Running(command, self.checkout, self._environment | more, output)
        self._started.append(running)
        return running

    def _judge(self, block: Block, code: int, output: str) -> None:
        server = self._proxy.output()[-2000:] if self._proxy else ""
        what = f"{block}\nended with {code}:\n{output[-4000:]}\n{server}"
        if (code != 0) != ("fails" in block.remarks):
            raise GuideError(what)
        wanted = block.remarks.get("expect", "")
        if wanted not in output:
            raise GuideError(f"{what}\nand did not say {wanted!r}")

    def _keep_variables(self, state: Path) -> None:
        """What a block exports is there for the next one, as in a terminal."""
        with contextlib.suppress(FileNotFoundError):
            pairs = (pair.partition("=") for pair in state.read_text().split("\0") if pair)
            self._environment = {name: value for name, _, value in pairs if name not in _NOT_KEPT}
            state.unlink()

    def _need_proxy(self) -> None:
        if self._proxy is None or not self._proxy.runs():
            self._serve("fastproxy serve", "")

    def _serve(self, commands: str, address: str) -> str:
        """Starts a server and waits until `address` ("": the proxy's) answers."""
        if not address:
            self._end_proxy()
        if self._short:
            commands = _MAKE_RUN.sub(r"fastproxy serve \1", commands)
        server = self._start(["bash", "-e", "-c", self._with_ports(commands)], {})
        self._proxy = self._proxy if address else server
        server.wait_until_it_answers(self._with_ports(address or _LIVE), _START_SECONDS[self._short])
        return "runs in the background"

    def _end_proxy(self) -> None:
        """Before another one is started on its port, or with another configuration."""
        if self._proxy is not None:
            self._proxy.end()
            self._proxy = None

    def _with_ports(self, text: str) -> str:
        return self._port_pattern.sub(lambda match: str(self._ports[match[2]]), text)

    def _copy_files(self) -> None:
        """The files that a commit of everything would hold."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                copy = self.checkout / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy)
        for example in (self.checkout / "examples").glob("*.*"):
            example.write_text(self._with_ports(example.read_text("utf-8")), "utf-8")

    def _first_environment(self, mock: MockUpstream) -> dict[str, str]:
        """A reader's who has every provider's credential; none is worth anything."""
        account = self._folder / "google.json"
        account.write_bytes(orjson.dumps(service_account(f"{mock.url}/token")))
        environment = clean_environment()
        del environment["PYTHONPATH"]
        for name in ("DEEPSEEK", "ANTHROPIC", "OLLAMA", "VERTEX"):
            environment[f"FASTPROXY_PROVIDERS__{name}__BASE_URL"] = mock.url
        return {
            **environment,
            "PATH": f"{self._bin}{os.pathsep}{environment['PATH']}",
            "HOME": str(self._folder),
            "FASTPROXY_SERVER__PORT": str(self._ports[PROXY_PORT]),
            "FASTPROXY_PROVIDERS__CLAUDE__ENABLED": "false",
            "GOOGLE_APPLICATION_CREDENTIALS": str(account),
            "DEEPSEEK_API_KEY": "sk-nothing",
            "ANTHROPIC_API_KEY": "sk-nothing",
        }
