"""Field types that settings share: secrets that may stand elsewhere, lists that may be one string."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationInfo


class Section(BaseModel):
    """A table of the configuration file: frozen, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)


def environment_of(info: ValidationInfo) -> Mapping[str, str]:
    """The environment that `load` handed to the validators (never `os.environ` itself)."""
    environment: Mapping[str, str] = (info.context or {}).get("environment", {})
    return environment


def _resolve_secret(value: Any, info: ValidationInfo) -> Any:
    """The secret behind "env:NAME" (empty where unset) or "file:/path" (stripped of white space)."""
    if isinstance(value, SecretStr):  # a default of ours
        value = value.get_secret_value()
    if not isinstance(value, str):
        return value
    if value.startswith("env:"):
        return environment_of(info).get(value[4:], "")
    if value.startswith("file:"):
        path = Path(value[5:]).expanduser()
        try:
            return path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot read the secret in {path}: {_reason(error)}") from error
    return value


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or "unreadable" if isinstance(error, OSError) else "not UTF-8 text"


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def without_trailing_slash(value: Any) -> Any:
    """An address as it is joined with paths."""
    return value.rstrip("/") if isinstance(value, str) else value


def http_url(value: str) -> str:
    """The same, or ValueError where it is no address of HTTP's; "" stays."""
    if value and not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return value


Resolved = Annotated[str, BeforeValidator(_resolve_secret)]
"""No secret, but it may stand elsewhere likewise: "env:NAME" or "file:/path"."""
Secret = Annotated[SecretStr, BeforeValidator(_resolve_secret)]
StrList = Annotated[list[str], BeforeValidator(_split)]
"""A list of strings; in the environment also "a,b"."""
BaseUrl = Annotated[str, BeforeValidator(without_trailing_slash), AfterValidator(http_url)]
