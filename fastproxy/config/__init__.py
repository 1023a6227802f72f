"""Typed settings from TOML and environment: the only reader of files and environment."""

from fastproxy.config.bridge import BridgeLaunch, bridge_launch
from fastproxy.config.detection import off_reasons
from fastproxy.config.loading import ConfigError, load
from fastproxy.config.providers import ProviderSettings
from fastproxy.config.settings import ApiKey, RouteSettings, ServerSettings, Settings
from fastproxy.config.tracing import TracingSettings

__all__ = [
    "ApiKey",
    "BridgeLaunch",
    "ConfigError",
    "ProviderSettings",
    "RouteSettings",
    "ServerSettings",
    "Settings",
    "TracingSettings",
    "bridge_launch",
    "load",
    "off_reasons",
]
