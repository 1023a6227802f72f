"""fastproxy in a network of its own, which has loopback alone: whom does it try to reach when it starts.

`unshare --net python -m testkit.alone <configuration.toml` prints one JSON object: the answers' statuses, and
how many packets the kernel had no way for (`no_route`). It is what is left of every attempt to reach
anything but loopback, be it from Python, Rust or libc's resolver.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import time
from pathlib import Path

import httpx
import orjson

from testkit.proxy import FastproxyProcess

_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
"""linux/sockios.h, linux/if.h"""
RESOLVER_PORT = 53
PATIENCE_SECONDS = 15.0
"""How long it is waited for the first attempt to reach a provider, where one is configured."""


def bring_loopback_up() -> None:
    """What `ip link set lo up` does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def no_route() -> int:
    """Packets of this network namespace that had no way out, of IPv4 and IPv6."""
    names, values = (
        line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip:")
    )
    six = dict(line.split() for line in Path("/proc/net/snmp6").read_text().splitlines())
    return int(values[names.index("OutNoRoutes")]) + int(six["Ip6OutNoRoutes"])


def resolver() -> socket.socket:
    """Stands where a resolver on loopback might be asked: a question that came there can be read from it."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", RESOLVER_PORT))
    listening.setblocking(False)
    return listening


def _was_asked(listening: socket.socket) -> bool:
    try:
        return bool(listening.recv(1))
    except BlockingIOError:
        return False


def main() -> None:
    """Starts the command of our arguments (or `python -m fastproxy`) with that configuration, and asks it."""
    bring_loopback_up()
    before, name_server, config = no_route(), resolver(), sys.stdin.read()
    with FastproxyProcess(config, program=sys.argv[1:], start_timeout=60) as proxy:
        question = {"model": "demo-echo", "messages": [{"role": "user", "content": "alone?"}]}
        chat = httpx.post(f"{proxy.url}/v1/chat/completions", json=question, trust_env=False)
        asked = [httpx.get(f"{proxy.url}{path}", trust_env=False) for path in ("/health", "/v1/models", "/")]
        give_up = time.monotonic() + (PATIENCE_SECONDS if config else 0)
        while no_route() == before and time.monotonic() < give_up:
            time.sleep(0.05)  # providers are asked what they have only when the proxy answers already
    told = {
        "statuses": [answer.status_code for answer in [chat, *asked]],
        "no_route": no_route() - before,
        "names_asked": _was_asked(name_server),
    }
    sys.stdout.buffer.write(orjson.dumps(told))


if __name__ == "__main__":
    main()
