"""Who writes X-Forwarded-For decides whether it counts."""

from __future__ import annotations

import pytest

from fastproxy.addresses import Addresses
from fastproxy.http import HttpRequest


def client(peer: str, forwarded_for: str, *trusted: str) -> str:
    headers = {"x-forwarded-for": forwarded_for} if forwarded_for else {}
    return Addresses(trusted).client(HttpRequest("POST", "/", headers, b"", address=peer))


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "trusted", "address"),
    [
        ("1.1.1.1", "", [], "1.1.1.1"),
        ("1.1.1.1", "9.9.9.9", [], "1.1.1.1"),
        ("1.1.1.1", "9.9.9.9", ["10.0.0.0/8"], "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9", ["10.0.0.0/8"], "9.9.9.9"),
        ("10.0.0.1", "6.6.6.6, 9.9.9.9", ["10.0.0.1"], "9.9.9.9"),
        ("10.0.0.1", "6.6.6.6, 9.9.9.9 , 10.0.0.2", ["10.0.0.0/8"], "9.9.9.9"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", ["10.0.0.0/8"], "10.0.0.3"),
        ("10.0.0.1", "", ["10.0.0.0/8"], "10.0.0.1"),
        ("10.0.0.1", "nonsense" * 50, ["10.0.0.0/8"], ("nonsense" * 50)[:64]),
        ("::1", "2001:db8::7", ["::1"], "2001:db8::7"),
    ],
)
def test_the_last_hop_that_nobody_vouches_for_is_the_client(
    peer: str, forwarded_for: str, trusted: list[str], address: str
) -> None:
    assert client(peer, forwarded_for, *trusted) == address
