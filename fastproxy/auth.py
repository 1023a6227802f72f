"""Who is calling? An API key's owner; or, where no keys are set, anybody on this machine.

Law of the open proxy (no keys set): it serves this machine's own programs and nobody else. A request that
shows any sign of a tunnel, another machine's name, or a web page of a foreign site is refused, with the
reason, because a public address without a key would be a free model for the whole internet.
"""

from __future__ import annotations

import fnmatch
import hashlib
import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import Caller, Route

ANYBODY = Caller(name="local", scope="local")

TUNNEL_HEADERS = frozenset(
    {
        "cf-ray",
        "cf-connecting-ip",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "x-original-host",
        "ngrok-skip-browser-warning",
        "ngrok-trace-id",
        "tailscale-user-login",
        "fly-client-ip",
        "via",
    }
)
_REMEMBERED = 256
"""Addresses and names of hosts, which are anybody's to choose: so many that were looked at are kept."""
_LOCAL_NAMES = ("localhost", "host.docker.internal")


class KeySettings(Protocol):
    """What a configured key offers us."""

    @property
    def name(self) -> str:
        """How the key is called in logs."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of the key in hexadecimal."""
        ...

    @property
    def models(self) -> Sequence[str]:
        """Patterns of allowed models; empty: all."""
        ...

    @property
    def requests_per_minute(self) -> int | None:
        """Its own limit, 0: none; None: that of all."""
        ...

    @property
    def tokens_per_minute(self) -> int | None:
        """Likewise."""
        ...


class Authenticator:
    """Built once from the configured keys; `identify` is called for every request."""

    def __init__(self, keys: Sequence[KeySettings], *, insecure: bool = False) -> None:
        self._callers = [
            (
                bytes.fromhex(key.digest),
                Caller(
                    name=key.name,
                    scope=key.digest[:32],
                    models=tuple(key.models),
                    requests_per_minute=key.requests_per_minute,
                    tokens_per_minute=key.tokens_per_minute,
                    has_key=True,
                ),
            )
            for key in keys
        ]
        self._insecure = insecure

    def __repr__(self) -> str:
        return f"<Authenticator keys={len(self._callers)} insecure={self._insecure}>"

    def identify(self, headers: Mapping[str, str], address: str) -> Caller:
        """The caller; raises ProxyError 401. `headers` have lower-case names, `address` is the peer's."""
        if self._callers:
            return self._owner(_presented_key(headers))
        if not self._insecure:
            _require_local(headers, address)
        return ANYBODY

    def _owner(self, key: str) -> Caller:
        if not key:
            raise ProxyError(
                ErrorKind.INVALID_API_KEY,
                "No API key was sent. Send one of the keys of this proxy's configuration as "
                "`Authorization: Bearer <key>`.",
            )
        # a header's text stands for its bytes, one character each
        presented = hashlib.sha256(key.encode("latin-1", "replace")).digest()
        owner = None
        for digest, caller in self._callers:  # no early exit: the time must not tell which key came near
            if hmac.compare_digest(digest, presented):
                owner = caller
        if owner is None:
            raise ProxyError(
                ErrorKind.INVALID_API_KEY, "Incorrect API key. It must be one of this proxy's `auth.keys`."
            )
        return owner


def _presented_key(headers: Mapping[str, str]) -> str:
    authorization = headers.get("authorization", "")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return (headers.get("x-api-key") or headers.get("api-key") or "").strip()


def _require_local(headers: Mapping[str, str], address: str) -> None:
    reason = _foreign_sign(headers, address)
    if reason:
        raise ProxyError(
            ErrorKind.INVALID_API_KEY,
            f"This proxy has no API keys and serves only programs on its own machine, but {reason}. Add a "
            'key to the configuration (auth.keys = [{ name = "me", key = "sk-…" }]) and send it as '
            "`Authorization: Bearer <key>`.",
        )


def _foreign_sign(headers: Mapping[str, str], address: str) -> str:
    """Why this request is not from this machine's own programs; "" where nothing speaks against it."""
    if not TUNNEL_HEADERS.isdisjoint(headers):
        name = min(TUNNEL_HEADERS.intersection(headers))
        return f"the request came through a tunnel or a proxy (header `{name}`)"
    if not _is_loopback(address):
        return f"the request came from {address}"
    host = headers.get("host") or "localhost"
    if not _is_local_host(host):
        return f"the request was sent to the name {_hostname('//' + host)[:80]!r}"
    origin = headers.get("origin")
    if origin and not _is_local_origin(origin):
        return f"the request came from a web page of {origin[:80]!r}"
    return ""


@lru_cache(_REMEMBERED)
def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address in ("", "localhost")
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


@lru_cache(_REMEMBERED)
def _is_local_host(header: str) -> bool:
    return _is_local_name(_hostname("//" + header))


def _is_local_name(host: str) -> bool:
    return host in _LOCAL_NAMES or host.endswith(".localhost") or _is_loopback(host)


def _is_local_origin(origin: str) -> bool:
    """Editors' own schemes (vscode-file://, app://, tauri://) and pages served by this machine."""
    scheme, separator, _ = origin.partition(":")
    if scheme.lower() in ("http", "https"):
        return _is_local_name(_hostname(origin))
    return bool(scheme and separator)


def _hostname(url: str) -> str:
    """The name in it, without port and brackets; all of it where it is no URL: no local name."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url


def may_use(caller: Caller, model: str) -> bool:
    """Whether one of the caller's patterns allows this model name."""
    return not caller.models or any(fnmatch.fnmatchcase(model, pattern) for pattern in caller.models)


def allowed(caller: Caller, route: Route) -> Route:
    """The route without the fallbacks that the caller's key may not use."""
    if not caller.models:
        return route
    # not the name as it was sent: what a client may put before or behind it would match patterns
    if not (may_use(caller, route.alias or route.model) or may_use(caller, route.canonical)):
        raise ProxyError(
            ErrorKind.MODEL_NOT_ALLOWED,
            f"The key {caller.name!r} may not use the model {route.model!r}; it may use "
            f"{', '.join(caller.models)}.",
            param="model",
        )
    first, *others = zip(route.names, route.deployments, strict=True)
    allowed = [first, *(other for other in others if may_use(caller, other[0]))]
    names, deployments = zip(*allowed, strict=True)
    return replace(route, names=names, deployments=deployments)
