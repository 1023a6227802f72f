"""The settings as a whole, table by table; `fastproxy.toml` has the same shape."""

from __future__ import annotations

import fnmatch
import hashlib
import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from fastproxy.config.limits import Count, LimitsSettings
from fastproxy.config.providers import KINDS, AnyProvider, ClaudeSettings
from fastproxy.config.tracing import TracingSettings
from fastproxy.config.values import Secret, Section, StrList

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class ServerSettings(Section):
    """[server]: where we listen, and how we behave."""

    host: str = "127.0.0.1"
    """The address to listen on. Any but loopback needs keys; 0.0.0.0 means all of this machine's."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 4000
    """The port to listen on; 0: any free one, which the start prints."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes that answer. More than one needs a continuity storage, and limits, that they share."""
    cpu_affinity: Literal["auto", "none"] = "auto"
    """`auto`: each worker keeps its threads on one processor (Linux), lets them take turns there while it has
    that to itself, and moves where others keep it busy; it runs Python on one at a time anyway, and answers
    faster so. `none`: the system places them, and decides who is next."""
    max_in_flight: Annotated[int, Field(ge=1)] = 2048
    """Requests that one worker answers at a time; further ones wait, then get 503 `queue_full`."""
    queue_seconds: Annotated[float, Field(ge=0, le=600)] = 5.0
    """How long a request waits for its turn, here (max_in_flight) and at a provider (max_concurrency)."""
    trusted_proxies: StrList = []
    """Addresses or networks of proxies before us, whose X-Forwarded-For is believed."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 32 * 1024 * 1024
    """The largest request body, as sent and as decompressed; a larger one gets 413."""
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """How long running answers may go on after SIGTERM; then they end with an error."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe lines that are logged; each request is one line at `info`."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """`auto`: text on a terminal, JSON lines elsewhere."""
    log_bodies: bool = False
    """Logs what is said, to find faults: prompts and answers, without the secrets that are known."""
    metrics_open: bool = False
    """Whether `/metrics` answers without a key."""
    status_page: bool = True
    """The page at `/`, and /status behind it."""
    heartbeat_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    """How long a stream waits for its first content until a sign of life goes out, and between two."""
    default_model: str = ""
    """The model of requests that name none; empty: they get 400."""
    neutral_names: bool = True
    """Every model has a name that gives no maker away as well (gm-…, cl-…, ds-…, ol-…)."""
    on_unsupported: Literal["warn", "drop", "reject"] = "warn"
    """What happens to parameters that a provider has no equivalent for: left out and named in
    `x-fastproxy-warning`, left out silently, or refused with 400."""
    error_profile: Literal["openai", "cursor"] = "openai"
    """cursor: all clients are told of faults as Cursor must be, by a 400; Cursor itself always is."""
    tls_certificate: str = ""
    """A PEM file with the certificate chain; with it the proxy speaks HTTPS."""
    tls_key: str = ""
    """The PEM file with its private key."""

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, value: list[str]) -> list[str]:
        for text in value:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise ValueError(f"{text!r} is no address and no network (10.0.0.0/8)") from None
        return value

    @model_validator(mode="after")
    def _bodies_are_seen(self) -> ServerSettings:
        if self.log_bodies and self.log_level not in ("debug", "info"):
            raise ValueError('log_bodies writes lines of level info: set log_level to "info" too')
        return self


class ApiKey(Section):
    """One key that clients may use: its text or its SHA-256, and what it may do."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    """What logs and metrics call whoever uses this key."""
    key: Secret = SecretStr("")
    """Its text, best as `env:NAME` or `file:/path`."""
    sha256: str = ""
    """Instead of `key`: the SHA-256 of its text, 64 hexadecimal digits."""
    models: StrList = []
    """Patterns of the models it may call (`gemini-*`); empty: all."""
    requests_per_minute: Count | None = None
    """Its own limit; unset: that of [limits]; 0: none."""
    tokens_per_minute: Count | None = None
    """Likewise."""

    @property
    def digest(self) -> str:
        """SHA-256 of the key in lower-case hexadecimal: all that the rest of the program sees of it."""
        return self.sha256.lower() or hashlib.sha256(self.key.get_secret_value().encode()).hexdigest()

    @model_validator(mode="after")
    def _one_of_key_and_digest(self) -> ApiKey:
        if bool(self.key.get_secret_value()) == bool(self.sha256):
            raise ValueError(f"key {self.name!r} needs either `key` (not empty) or `sha256`, and not both")
        if self.sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", self.sha256):
            raise ValueError(f"sha256 of key {self.name!r} must be 64 hexadecimal digits")
        return self


class AuthSettings(Section):
    """[auth]: who may call. No keys: open on loopback only."""

    keys: list[ApiKey] = []
    """The keys that clients may use. None: open, but to this machine's own programs only."""
    insecure: bool = False
    """Open to everybody, on any address, without a key. Not for networks that you do not own."""

    @field_validator("keys")
    @classmethod
    def _names_tell_keys_apart(cls, keys: list[ApiKey]) -> list[ApiKey]:
        names = [key.name for key in keys]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two keys are called {name!r}: logs and the status page tell them by name")
        return keys


class ContinuitySettings(Section):
    """[continuity]: where we keep what providers must get back and clients throw away."""

    storage: str = "memory://"
    """`memory://`, `sqlite:///absolute/path`, or `redis://host:6379` (`rediss://` for TLS)."""
    ttl_seconds: Annotated[float, Field(ge=60)] = 86_400.0
    """How many seconds it is kept."""


class RouteSettings(Section):
    """[[routes]]: a pattern of model names that goes to a provider of your choice."""

    match: Annotated[str, Field(min_length=1)]
    """The pattern, with `*` and `?`; the first entry that matches counts."""
    provider: Annotated[str, Field(min_length=1)]
    """The name of a provider's table."""
    fallback: StrList | None = None
    """Models that answer where this one cannot, in this order; unset: those of [fallback]."""


class FallbackSettings(Section):
    """[fallback]: the models that answer for every route without a list of its own."""

    chain: StrList = []
    """Models, best first; a model of the chain is followed by those after it. Empty: no prompt goes anywhere
    but where it was asked to."""


class Settings(Section):
    """The whole configuration."""

    server: ServerSettings = ServerSettings()
    auth: AuthSettings = AuthSettings()
    limits: LimitsSettings = LimitsSettings()
    continuity: ContinuitySettings = ContinuitySettings()
    tracing: TracingSettings = Field(default_factory=dict, validate_default=True)
    providers: dict[str, AnyProvider] = {}
    routes: list[RouteSettings] = []
    fallback: FallbackSettings = FallbackSettings()
    aliases: dict[str, str] = {}

    @field_validator("providers", mode="before")
    @classmethod
    def _kind_defaults_to_the_name(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        tables = {name: value.get(name, {}) for name in KINDS if name != "openai"} | value
        return {
            name: {"kind": name, "enabled": True if name in value else None} | table
            if isinstance(table, dict)
            else table
            for name, table in tables.items()
        }

    @model_validator(mode="after")
    def _is_safe_and_whole(self) -> Settings:
        self._check_exposure()
        for route in self.routes:
            if route.provider not in self.providers:
                known = ", ".join(self.providers)
                raise ValueError(f"routes: provider {route.provider!r} is not configured (known: {known})")
            self._check_fallback(f"routes (match = {route.match!r}): fallback", route.fallback or [])
        self._check_fallback("fallback.chain", self.fallback.chain)
        for name, provider in self.providers.items():
            if provider.kind == "openai" and not provider.base_url and provider.enabled is not False:
                raise ValueError(f"providers.{name}: set base_url to the server's address (https://…/v1)")
        if self.server.workers > 1 and self.continuity.storage.startswith("memory:"):
            raise ValueError(
                "server.workers > 1 needs a continuity store that the workers share: set continuity.storage "
                'to "sqlite:///path/to/file" or "redis://host:6379"'
            )
        if self.server.workers > 1 and self.has_limits and self.limits.storage.startswith("memory:"):
            raise ValueError(
                "server.workers > 1 with rate limits needs a place where the workers count together: set "
                'limits.storage to "redis://host:6379", or server.workers to 1'
            )
        return self

    def secrets(self) -> list[str]:
        """All that must not be told: keys, of clients and of providers."""
        return list(_secrets_in(self.model_dump()))

    @property
    def has_limits(self) -> bool:
        """Whether anybody's requests or tokens are limited."""
        own = (value for key in self.auth.keys for value in (key.requests_per_minute, key.tokens_per_minute))
        return self.limits.limit_anybody or any(own)

    def _check_fallback(self, place: str, models: list[str]) -> None:
        for model in models:
            name = self.aliases.get(model, model)
            known = name.partition("/")[0] in self.providers or any(
                table.prefix and name.startswith(table.prefix) for table in self.providers.values()
            )
            if not (known or any(fnmatch.fnmatchcase(name, route.match) for route in self.routes)):
                raise ValueError(f"{place}: no provider has a model {model!r}")

    def _check_exposure(self) -> None:
        if self.auth.keys or self.auth.insecure or self.server.host in LOOPBACK_HOSTS:
            return
        raise ValueError(
            f"server.host {self.server.host!r} can be reached from other machines, and auth.keys is empty: "
            'add a key (auth.keys = [{ name = "me", key = "sk-…" }]), listen on 127.0.0.1, or set '
            "auth.insecure = true"
        )

    def with_bridge(self, url: str, secret: str) -> Settings:
        """The same settings with a bridge for every claude provider that has none."""
        providers = {
            name: table.model_copy(update={"bridge_url": url, "bridge_secret": SecretStr(secret)})
            if isinstance(table, ClaudeSettings) and not table.bridge_url
            else table
            for name, table in self.providers.items()
        }
        return self.model_copy(update={"providers": providers})


def _secrets_in(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, dict):
        for item in value.values():
            yield from _secrets_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets_in(item)
