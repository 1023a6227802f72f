"""Asks the proxy of this machine, by its settings, whether it is ready: what a container's health check runs.

It runs every few seconds beside the server, so it imports nothing that is slow to load.
"""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

from fastproxy.config import ServerSettings

READY_PATH = "/health/ready"
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask one that listens everywhere


def own_url(server: ServerSettings, port: int | None = None) -> str:
    """Where a server with these settings can be asked on its own machine, without a path. `port` is the one
    that it listens on, where the settings let the system choose."""
    host = _ANY_ADDRESS.get(server.host, server.host)
    scheme = "https" if server.tls_certificate else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port or server.port}"


def trouble(server: ServerSettings, timeout: float) -> str:
    """Why it takes no requests now; "" where it does. Waits `timeout` seconds at most for each step."""
    if server.port == 0:
        return "server.port is 0: a health check needs a port of your choice"
    url = own_url(server)
    connection = _connect(url, timeout)
    try:
        connection.request("GET", READY_PATH)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer from {url}: {error or type(error).__name__}"
    finally:
        connection.close()
    return "" if status == http.HTTPStatus.OK else f"{url}{READY_PATH} answers {status}"


def _connect(url: str, timeout: float) -> http.client.HTTPConnection:
    place = urlsplit(url)
    host = place.hostname or ""
    if place.scheme == "http":
        return http.client.HTTPConnection(host, place.port, timeout=timeout)
    ours = (
        ssl.create_default_context()
    )  # the certificate names the server for others; this is the machine itself
    ours.check_hostname = False
    ours.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, place.port, timeout=timeout, context=ours)
