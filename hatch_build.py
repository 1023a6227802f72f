"""Puts the built bridge into the wheel, and builds it first where Node is at hand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = "bridge/dist/fastproxy-bridge.cjs"
STEPS = (("ci", "--no-audit", "--no-fund", "--silent"), ("run", "--silent", "build"))


class BridgeHook(BuildHookInterface[Any]):
    """Without Node the wheel lacks the bridge, and all else works: `fastproxy check` says what is missing."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the bundle to a wheel; an editable install finds it in the checkout."""
        if version == "editable":
            return
        root, npm = Path(self.root), shutil.which("npm")
        if not (root / BUNDLE).is_file() and npm and (root / "bridge" / "package-lock.json").is_file():
            for step in STEPS:
                subprocess.run([npm, *step], cwd=root / "bridge", check=True)  # noqa: S603 - our own steps
        for built in (BUNDLE, f"{BUNDLE}.LEGAL.txt"):
            if (root / built).is_file():
                build_data["force_include"][built] = f"fastproxy/bridge/{Path(built).name}"
