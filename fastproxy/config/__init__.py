"""Typed settings from TOML and environment: the only reader of files and environment."""

from fastproxy.config.detection import off_reasons
from fastproxy.config.loading import ConfigError, load
from fastproxy.config.providers import ProviderSettings
from fastproxy.config.settings import ApiKey, RouteSettings, Settings

__all__ = ["ApiKey", "ConfigError", "ProviderSettings", "RouteSettings", "Settings", "load", "off_reasons"]
