"""Which providers can be used on this machine, and why the others cannot: files and environment only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fastproxy.config.bridge import bridge_reason
from fastproxy.config.providers import (
    AnthropicSettings,
    ClaudeSettings,
    DeepSeekSettings,
    ProviderSettings,
    VertexSettings,
)
from fastproxy.config.settings import Settings

Environment = Mapping[str, str]


def off_reasons(settings: Settings, environment: Environment) -> dict[str, str]:
    """For each provider why it is off, with the remedy; "" where it is on. Asks no network."""
    return {name: _reason(name, table, environment) for name, table in settings.providers.items()}


def _reason(name: str, table: ProviderSettings, environment: Environment) -> str:
    if table.enabled is False:
        return f"switched off (providers.{name}.enabled = false)"
    check = _CHECKS.get(type(table))
    return check(name, table, environment) if check else ""


def _missing_key(variable: str) -> Callable[[str, ProviderSettings, Environment], str]:
    def check(name: str, table: ProviderSettings, _environment: Environment) -> str:
        key = getattr(table, "api_key", None)
        return "" if key and key.get_secret_value() else f"set {variable} or providers.{name}.api_key"

    return check


def _vertex(name: str, table: ProviderSettings, environment: Environment) -> str:
    if table.enabled or _adc_file(environment).is_file():
        return ""
    if isinstance(table, VertexSettings) and (table.api_key.get_secret_value() or table.credentials_file):
        return ""
    return f"run `gcloud auth application-default login`, or set providers.{name}.credentials_file"


def _claude(name: str, table: ProviderSettings, environment: Environment) -> str:
    return bridge_reason(name, table, environment) if isinstance(table, ClaudeSettings) else ""


def _adc_file(environment: Environment) -> Path:
    """Where gcloud keeps application default credentials (google-auth's own search path)."""
    folder = environment.get("CLOUDSDK_CONFIG") or str(
        Path(environment.get("HOME", "~")) / ".config" / "gcloud"
    )
    return Path(folder) / "application_default_credentials.json"


_CHECKS: dict[type[ProviderSettings], Callable[[str, ProviderSettings, Environment], str]] = {
    DeepSeekSettings: _missing_key("DEEPSEEK_API_KEY"),
    AnthropicSettings: _missing_key("ANTHROPIC_API_KEY"),
    VertexSettings: _vertex,
    ClaudeSettings: _claude,
}
