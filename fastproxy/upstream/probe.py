"""One question to a server in bounded time, and in words that help why there was no answer.

For the control plane only (discovery, `fastproxy check`). Heavy, because it imports httpx: imported late.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

import httpx

from fastproxy import __version__
from fastproxy.types import Headers

MAX_BYTES = 4 * 1024 * 1024


class Answer(NamedTuple):
    """A whole answer and how long it took."""

    status: int
    content_type: str
    body: bytes
    seconds: float
    location: str = ""


class Unreachable(Exception):  # noqa: N818 - what a provider is, not what we did wrong
    """There was no answer. `what` happened, and the `remedy`; neither holds a secret."""

    def __init__(self, what: str, remedy: str, *, refused: bool = False) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what, self.remedy = what, remedy
        self.refused = refused
        """Nobody listens there."""


_UNUSABLE = Unreachable("base_url is no usable address", "correct it: https://host[:port]/path")


def open_client(base_url: str, *, verified: bool = True) -> httpx.AsyncClient:
    """A client for questions to this address. Takes a while (certificates): call it in a thread.

    Not `verified`: it trusts any certificate; only for this machine's own ports. Raises Unreachable.
    """
    parts = _split(base_url)
    verify: ssl.SSLContext | bool = False  # no TLS, no certificates to read
    if parts.scheme == "https" and verified:
        verify = ssl.create_default_context()  # the machine's authorities, and certifi's where it has none
        if not verify.get_ca_certs():
            verify = True
    loopback = parts.hostname in ("localhost", "::1") or (parts.hostname or "").startswith("127.")
    return httpx.AsyncClient(
        verify=verify, trust_env=not loopback, headers={"user-agent": f"fastproxy/{__version__}"}
    )


async def ask(
    client: httpx.AsyncClient,
    url: str,
    seconds: float,
    *,
    headers: Headers = (),
    body: bytes | None = None,
) -> Answer:
    """The answer to a GET, or a POST where there is a body, whatever its status. Raises Unreachable."""
    began = time.monotonic()
    try:
        async with (
            asyncio.timeout(seconds),
            client.stream(
                "GET" if body is None else "POST", url, headers=list(headers), content=body, timeout=seconds
            ) as response,
        ):
            pieces, size = [], 0
            async for piece in response.aiter_bytes():
                pieces.append(piece)
                size += len(piece)
                if size > MAX_BYTES:
                    raise Unreachable(f"{origin(url)} answered endlessly", "check base_url")
            return Answer(
                response.status_code,
                response.headers.get("content-type", ""),
                b"".join(pieces),
                time.monotonic() - began,
                response.headers.get("location", ""),
            )
    except TimeoutError:
        raise _silent(url, seconds) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        raise _explain(error, url, seconds) from None  # its text may hold the URL with its secrets


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise _UNUSABLE from None


def origin(url: str) -> str:
    """Scheme, host and port: what may be shown of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _silent(url: str, seconds: float) -> Unreachable:
    return Unreachable(
        f"{origin(url)} did not answer within {seconds:g} s",
        "check base_url (http or https?), the network and its firewalls, and whether the server is stuck",
    )


def _explain(error: BaseException, url: str, seconds: float) -> Unreachable:
    place, host = origin(url), urlsplit(url).hostname or ""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return Unreachable(
                f"the name {host!r} cannot be resolved (DNS)",
                "check base_url for a typo, and this machine's network",
            )
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unreachable(
                f"the TLS certificate of {place} is not trusted ({cause.verify_message})",
                "check base_url, or add the certificate's authority to this machine's (SSL_CERT_FILE)",
            )
        if isinstance(cause, ssl.SSLError):
            return Unreachable(
                f"TLS with {place} failed", "check base_url: does the server speak http and not https?"
            )
        if isinstance(cause, ConnectionRefusedError):
            return Unreachable(
                f"nothing listens at {place}: the connection was refused",
                "start the server, or correct host and port in base_url",
                refused=True,
            )
        if isinstance(cause, httpx.TimeoutException):
            return _silent(url, seconds)
    if isinstance(error, httpx.ProxyError):
        return Unreachable(
            "the proxy of this network gave no way out", "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
        )
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return _UNUSABLE
    if isinstance(error, UnicodeError):
        return Unreachable("the API key holds characters that no header can carry", "copy it once more")
    if isinstance(error, httpx.ConnectError):
        return Unreachable(f"no connection to {place}", "check base_url and this machine's network")
    return Unreachable(
        f"{place} broke the connection",
        "check base_url: is this an HTTP server, and is it http or https?",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it: httpx tells only that something went wrong."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [cause for cause in (current.__cause__, current.__context__) if cause is not None]
        waiting += current.exceptions if isinstance(current, BaseExceptionGroup) else ()
