"""Whose request is it, where there is no key: the peer's, or whose the trusted proxies before us say."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

from fastproxy.http import HttpRequest

_LONGEST = 64
"""Characters of an address that are kept: it is a client's word, where it is none."""


class Addresses:
    """Knows the trusted proxies: addresses, or networks."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted = [ip_network(text, strict=False) for text in trusted]

    def client(self, http: HttpRequest) -> str:
        """The last address in the chain that no trusted proxy is known by.

        Proxies add who came to them at the end, so that what a client wrote itself stands before it.
        """
        address = http.address
        forwarded_for = http.headers.get("x-forwarded-for", "") if self._trusted else ""
        for hop in reversed(forwarded_for.split(",")):
            if not self._is_trusted(address):
                break
            address = hop.strip() or address
        return address[:_LONGEST]

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)
