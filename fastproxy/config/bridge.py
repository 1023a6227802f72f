"""What the bridge's process needs: programs, bundle, and the part of the environment that it may see."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastproxy.config.providers import ClaudeSettings
from fastproxy.config.settings import Settings

_PACKAGE = Path(__file__).resolve().parent.parent
_BUNDLE = "fastproxy-bridge.cjs"
_PLACES = (_PACKAGE / "bridge" / _BUNDLE, _PACKAGE.parent / "bridge" / "dist" / _BUNDLE)
"""In an installed package, and in a checkout."""

_PASSED_ON = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TZ",
        "TMPDIR",
        "XDG_CONFIG_HOME",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CONFIG_DIR",
        "ANTHROPIC_DEFAULT_OPUS_MODEL",
        "ANTHROPIC_DEFAULT_SONNET_MODEL",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "NODE_EXTRA_CA_CERTS",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "https_proxy",
        "http_proxy",
        "no_proxy",
    ]
)
"""What the bridge may see; it passes on still less."""
_CLAUDE_FOLDERS = (".local/bin", ".claude/local")
"""In the user's home: where the CLI's own installers put it, often not on a service's PATH."""


@dataclass(frozen=True, slots=True)
class BridgeLaunch:
    """How the bridge is started; its port and its secret are chosen at the start."""

    node: str
    bundle: str
    environment: Mapping[str, str]

    def environment_at(self, port: int, secret: str) -> dict[str, str]:
        """The whole environment of a bridge that listens there."""
        own = {"FASTPROXY_BRIDGE_PORT": str(port), "FASTPROXY_BRIDGE_SECRET": secret}
        return {**self.environment, **own}


def bundle() -> Path | None:
    """The built bridge, None where it was not built."""
    return next((place for place in _PLACES if place.is_file()), None)


def claude_bin(table: ClaudeSettings, environment: Mapping[str, str]) -> str | None:
    """The claude CLI's full path, None where it is not found."""
    home = environment.get("HOME")
    own = [str(Path(home) / folder) for folder in _CLAUDE_FOLDERS] if home else []
    folders = os.pathsep.join([environment.get("PATH", ""), *own])
    found = shutil.which(str(Path(table.claude_bin or "claude").expanduser()), path=folders)
    return str(Path(found).absolute()) if found else None


def bridge_reason(name: str, table: ClaudeSettings, environment: Mapping[str, str]) -> str:
    """Why the bridge cannot run here, with the remedy; "" where it can (or runs elsewhere)."""
    if table.bridge_url:
        return ""
    if claude_bin(table, environment) is None:
        return (
            "install the claude CLI (npm install -g @anthropic-ai/claude-code), or set "
            f"providers.{name}.claude_bin"
        )
    if shutil.which("node", path=environment.get("PATH", "")) is None:
        return "install Node.js 20 or newer: the bridge to the claude CLI needs it"
    if bundle() is None:
        return "build the bridge to the claude CLI: make bridge"
    return ""


def bridge_launch(
    settings: Settings, off_reasons: Mapping[str, str], environment: Mapping[str, str]
) -> BridgeLaunch | None:
    """How to start the bridge; None where no provider needs one of ours."""
    for name, table in settings.providers.items():
        if isinstance(table, ClaudeSettings) and not table.bridge_url and not off_reasons.get(name):
            return _launch(table, settings, environment)
    return None


def _launch(table: ClaudeSettings, settings: Settings, environment: Mapping[str, str]) -> BridgeLaunch | None:
    node, built = shutil.which("node", path=environment.get("PATH", "")), bundle()
    claude = claude_bin(table, environment)
    if node is None or built is None or claude is None:
        return None
    passed = {name: value for name, value in environment.items() if name in _PASSED_ON}
    own = {
        "POOL_SIZE": table.pool_size,
        "MAX_PROCESSES": table.max_processes,
        "TIMEOUT_SECONDS": round(table.total_timeout),
        "DRAIN_SECONDS": round(settings.server.drain_seconds),
        "MAX_BODY_BYTES": settings.server.max_body_bytes,
        "LOG_LEVEL": {"warning": "warn"}.get(settings.server.log_level, settings.server.log_level),
        "CLAUDE_BIN": claude,
        "WATCH_STDIN": 1,
    }
    return BridgeLaunch(
        node, str(built), passed | {f"FASTPROXY_BRIDGE_{key}": str(value) for key, value in own.items()}
    )
