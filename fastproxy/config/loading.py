"""From a TOML file and the environment to `Settings`, or one error that names file, key and remedy."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from fastproxy.config import providers as provider_settings
from fastproxy.config.settings import Settings

PREFIX = "FASTPROXY_"
OTHER_VARIABLES = ("FASTPROXY_BRIDGE_", "FASTPROXY_TEST_")
"""Names with our prefix that are not configuration keys."""
SERVICE_LINK = re.compile(r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")
"""What Kubernetes sets, after the prefix, in each pod beside a Service whose name begins with `fastproxy`."""


class ConfigError(Exception):
    """The configuration cannot be used. The text names the place, the key and the remedy."""


def load(
    path: str | None,
    environment: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
) -> tuple[Settings, Path | None]:
    """The settings and the file they came from (None: no file).

    `path` is the file given on the command line; without it `./fastproxy.toml`, then
    `~/.config/fastproxy/config.toml`. `overrides` are `server` keys from the command line; they win over
    the environment, which wins over the file. Raises ConfigError.
    """
    file = _find(path, environment)
    data = _read(file) if file else {}
    _merge_environment(data, environment)
    server = data.setdefault("server", {})
    if overrides and isinstance(server, dict):
        server.update({key: value for key, value in overrides.items() if value is not None})
    try:
        settings = Settings.model_validate(data, context={"environment": environment})
    except ValidationError as error:
        raise ConfigError(_explain(error, file)) from None
    return settings, file


def _find(path: str | None, environment: Mapping[str, str]) -> Path | None:
    if path:
        file = Path(path).expanduser()
        if not file.is_file():
            raise ConfigError(f"{file}: there is no such file (given by --config)")
        return file
    home = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME", "~")) / ".config")
    for candidate in (Path("fastproxy.toml"), Path(home) / "fastproxy" / "config.toml"):
        if candidate.is_file():
            return candidate
    return None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from None


def _merge_environment(data: dict[str, Any], environment: Mapping[str, str]) -> None:
    """FASTPROXY_SECTION__KEY, whatever its case; `-` in a TOML key may be written `_`. A section as a whole
    is FASTPROXY_SECTION, as JSON."""
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name.startswith(OTHER_VARIABLES) or _is_service_link(name, text):
            continue
        path = name[len(PREFIX) :].split("__")
        whole_section = len(path) == 1 and text.startswith(("[", "{"))  # FASTPROXY_ALIASES, FASTPROXY_ROUTES
        if not all(path) or not (len(path) > 1 or whole_section):
            raise ConfigError(f"{name}: a setting's variable is spelled {PREFIX}SECTION__KEY")
        table = data
        for part in path[:-1]:
            table = table.setdefault(_spelling(part, table), {})
            if not isinstance(table, dict):
                raise ConfigError(f"{name}: {part.lower()} is not a table")
        table[_spelling(path[-1], table)] = _value(name, text)


def _is_service_link(name: str, text: str) -> bool:
    """FASTPROXY_PORT=tcp://10.0.0.1:4000 and its like; FASTPROXY_PORT=4001 is somebody's mistake."""
    own = name.removeprefix(PREFIX)
    return "__" not in own and bool(SERVICE_LINK.fullmatch(own)) and ("://" in text or own != "PORT")


def _spelling(part: str, table: Mapping[str, Any]) -> str:
    folded = part.lower().replace("-", "_")
    return next((key for key in table if key.lower().replace("-", "_") == folded), part.lower())


def _value(name: str, text: str) -> Any:
    if not text.startswith(("[", "{")):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{name}: not valid JSON: {error}") from None


def _explain(error: ValidationError, file: Path | None) -> str:
    place = str(file) if file else "environment"
    return "\n".join(f"{place}: {_one(dict(problem))}" for problem in error.errors())


def _one(problem: dict[str, Any]) -> str:
    path = [str(part) for part in problem["loc"]]
    if path[:1] == ["providers"] and len(path) > 2 and path[2] in provider_settings.KINDS:
        del path[2]  # the union's tag, which nobody wrote
    where = ".".join(path)
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(path[-1], _known_keys(problem["loc"]), 1, 0.5)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        return f"unknown key {where}{hint}"
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        kinds = ", ".join(provider_settings.KINDS)
        return f'{where}: a provider of a name of your own needs kind = "…", one of {kinds}'
    return f"{where}: {message}" if where else message


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    """The keys of the table in which an unknown one was found."""
    model: Any = Settings
    if location[0] == "providers" and len(location) > 2:
        kinds = {cls.model_fields["kind"].default: cls for cls in _provider_models()}
        model = kinds.get(location[2], Settings)
    else:
        for part in location[:-1]:
            field = model.model_fields.get(part) if _is_model(model) else None
            model = _model_in(field.annotation) if field else model
    return list(model.model_fields) if _is_model(model) else []


def _provider_models() -> list[type[provider_settings.ProviderSettings]]:
    return provider_settings.ProviderSettings.__subclasses__()


def _is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _model_in(annotation: Any) -> Any:
    inner = getattr(annotation, "__args__", (annotation,))
    return next((part for part in inner if _is_model(part)), annotation)
