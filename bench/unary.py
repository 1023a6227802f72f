"""The load generator's closed loops: each connection sends its next request when the answer is whole."""

from __future__ import annotations

import asyncio
import time
from array import array
from typing import cast

from bench.figures import Figures, percentiles_ms
from bench.http_bytes import OK, address, is_whole

_WARM_UP_SECONDS = 0.3


class UnaryConnection(asyncio.Protocol):
    """Sends the next request as soon as an answer is whole, until told to stop."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self._sent_ns = 0
        self._transport: asyncio.Transport
        self.latencies_ns = array("q")
        self.failures = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._sent_ns = time.perf_counter_ns()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        received = self._received + data if self._received else data
        if not is_whole(received):
            self._received = received
            return
        self._received = b""
        self.latencies_ns.append(time.perf_counter_ns() - self._sent_ns)
        if not received.startswith(OK):
            self.failures += 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop: a fault, unless the run is over."""
        self.failures += 1

    def start_counting(self) -> int:
        """Forget the warm-up's times, not its failures: a connection lost then is still lost.

        Returns how many requests it was."""
        forgotten = len(self.latencies_ns)
        self.latencies_ns = array("q")
        return forgotten

    def stop(self) -> None:
        """Leave, whatever is under way."""
        self._transport.abort()


async def run_unary(url: str, request: bytes, connections: int, seconds: float) -> Figures:
    """Requests per second and latencies of `connections` closed loops over `seconds`."""
    loop = asyncio.get_running_loop()
    host, port = address(url)
    clients = [
        (await loop.create_connection(lambda: UnaryConnection(request), host, port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(min(_WARM_UP_SECONDS, seconds))
    forgotten = sum(client.start_counting() for client in clients)
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - started
    failures = sum(client.failures for client in clients)
    latencies = [latency for client in clients for latency in client.latencies_ns]
    for client in clients:
        client.stop()
    return {
        "requests": len(latencies),
        "answered": len(latencies) + forgotten,
        "failures": failures,
        "per_second": len(latencies) / elapsed,
        "latency_ms": percentiles_ms(latencies),
    }
