"""What can be said of a block without running it: whether it is a configuration, a document, a script."""

from __future__ import annotations

import re
import subprocess
import tempfile
import tomllib
from pathlib import Path

import orjson

from fastproxy.config import load
from testkit.guides.blocks import Block

_VARIABLE = re.compile(r"env:(\w+)")
_FILE = re.compile(r'"file:/[^"]*"')


def read(block: Block) -> str:
    """What it is; raises ValueError or ConfigError where it is not what its language says."""
    if block.language == "json":
        _documents(block.text)
    elif "syntax" in block.remarks:
        tomllib.loads(block.text)
    else:
        _configuration(block.text)
        return "a valid configuration"
    return "well formed"


def _documents(text: str) -> None:
    """One JSON document, or one a line."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        for line in text.splitlines():
            orjson.loads(line)


def _configuration(text: str) -> None:
    """Reads it as fastproxy does, every variable and file that it names being there."""
    with tempfile.TemporaryDirectory() as folder:
        secret, file = Path(folder, "secret"), Path(folder, "fastproxy.toml")
        secret.write_text("sk-nothing", "utf-8")
        file.write_text(_FILE.sub(f'"file:{secret}"', text), "utf-8")
        load(str(file), dict.fromkeys(_VARIABLE.findall(text), "sk-nothing"))


def check_shell_syntax(block: Block) -> None:
    """Raises ValueError where the shell cannot read the commands."""
    shell = subprocess.run(
        ["bash", "-n"],  # noqa: S607
        input=block.commands.encode(),
        capture_output=True,
        check=False,
    )
    if shell.returncode:
        raise ValueError(shell.stderr.decode())
