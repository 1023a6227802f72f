"""The load generator's streams: many at once, each event's delay since the mock upstream stamped it."""

from __future__ import annotations

import asyncio
import re
import time
from array import array
from collections.abc import Callable, Sequence
from typing import cast

from bench.figures import Figures, percentiles_ms
from bench.http_bytes import OK, address

_STAMP = re.compile(rb"t=(\d{19})")
_STAMP_SIZE = len("t=") + 19
_CHUNK_BORDER = re.compile(rb"\r\n[0-9a-f]+\r\n")
_HALF_A_BORDER = re.compile(rb"\r(?:\n[0-9a-f]*\r?)?$")
"""A relay may cut an event anywhere. OpenAI's events end in LF: CRLF is the chunked framing's alone."""
_DONE = b"data: [DONE]"
_PATIENCE_SECONDS = 20.0


class StreamConnection(asyncio.Protocol):
    """Reads one stream to its end and notes each event's delay."""

    def __init__(self, request: bytes, over: Callable[[], None]) -> None:
        self._request = request
        self._over = over
        self._transport: asyncio.Transport
        self._half_a_border = b""
        self._tail = b""
        self._is_over = False
        self.sent_ns = 0
        self.delays_ns = array("q")
        self.first_ns = self.last_ns = 0
        self.fault = "no answer"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)
        self.sent_ns = time.monotonic_ns()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        now = time.monotonic_ns()
        if self.fault == "no answer":
            self.fault = "no [DONE]" if data.startswith(OK) else data[:200].decode("latin-1")
        text = self._tail + self._without_borders(data)
        position = 0
        for stamp in _STAMP.finditer(text):
            self.delays_ns.append(now - int(stamp[1]))
            position = stamp.end()
            self.first_ns = self.first_ns or now
            self.last_ns = now
        # What may be the beginning of a stamp or of [DONE] is looked at again with the next bytes.
        self._tail = text[max(position, len(text) - _STAMP_SIZE + 1) :]
        if _DONE in text:
            self._end("")

    def _without_borders(self, data: bytes) -> bytes:
        data = self._half_a_border + data
        half = _HALF_A_BORDER.search(data, max(0, len(data) - 12))
        end = half.start() if half else len(data)
        self._half_a_border = data[end:]
        return _CHUNK_BORDER.sub(b"", data[:end])

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._end(self.fault)

    def stop(self) -> None:
        """Leave: the time is up."""
        self._end("timeout")

    def _end(self, fault: str) -> None:
        if not self._is_over:
            self._is_over = True
            self.fault = fault
            self._transport.abort()
            self._over()


async def run_streams(url: str, request: bytes, streams: int, events: int, seconds: float) -> Figures:
    """Event delays of `streams` streams of `events` events, which take `seconds` when nothing is slow."""
    loop = asyncio.get_running_loop()
    host, port = address(url)
    open_streams = streams
    all_over = asyncio.Event()

    def over() -> None:
        nonlocal open_streams
        open_streams -= 1
        if open_streams == 0:
            all_over.set()

    clients = []
    started = time.monotonic()
    # Streams begin at different times, and their events stay apart: no burst of all at once.
    ramp = min(seconds, max(0.5, streams / 1000))
    for index in range(streams):
        await asyncio.sleep(max(0.0, started + ramp * index / streams - time.monotonic()))
        _, client = await loop.create_connection(lambda: StreamConnection(request, over), host, port)
        clients.append(client)
    try:
        async with asyncio.timeout(seconds + _PATIENCE_SECONDS):
            await all_over.wait()
    except TimeoutError:
        for client in clients:
            client.stop()
    return stream_figures(clients, events)


def stream_figures(clients: Sequence[StreamConnection], events: int) -> Figures:
    """What the streams came to: a stream fails that broke, or ended with fewer events than were sent."""
    faults = [client.fault for client in clients if client.fault]
    short = sum(not client.fault and len(client.delays_ns) != events for client in clients)
    delays = [delay for client in clients for delay in client.delays_ns]
    begun = [client.first_ns for client in clients if client.first_ns]
    span_ns = max(client.last_ns for client in clients) - min(begun, default=0)
    return {
        "streams": len(clients),
        "failures": len(faults) + short,
        "faults": sorted(set(faults))[:5],
        "events": len(delays),
        "answered": len(delays),
        "events_per_second": len(delays) / (span_ns / 1e9) if begun and span_ns else 0.0,
        "delay_ms": percentiles_ms(delays),
        "first_event_ms": percentiles_ms(
            [client.first_ns - client.sent_ns for client in clients if client.first_ns]
        ),
    }
