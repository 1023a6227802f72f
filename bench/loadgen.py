"""The load generator, one run a process: unary requests in a closed loop, or many paced streams at once.

It speaks raw HTTP/1.1 on uvloop, so that it takes little of the machine it measures, and prints one line of
JSON. Event delays are receive time minus the send time that the mock upstream wrote into the event.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STAMP = re.compile(rb"t=(\d{19})")
_STAMP_SIZE = len("t=") + 19
_CHUNK_BORDER = re.compile(rb"\r\n[0-9a-f]+\r\n")
_HALF_A_BORDER = re.compile(rb"\r(?:\n[0-9a-f]*\r?)?$")
"""A relay may cut an event anywhere. OpenAI's events end in LF: CRLF is the chunked framing's alone."""
_OK = b"HTTP/1.1 200"
_DONE = b"data: [DONE]"
_WARM_UP_SECONDS = 0.3
_PATIENCE_SECONDS = 20.0


def http_request(url: str, body: dict[str, Any], api_key: str = "") -> bytes:
    """The bytes of a POST to /v1/chat/completions."""
    headers = {"content-type": "application/json"} | (
        {"authorization": f"Bearer {api_key}"} if api_key else {}
    )
    return post(f"{url}/v1/chat/completions", headers, orjson.dumps(body))


def post(url: str, headers: Mapping[str, str], payload: bytes) -> bytes:
    """The bytes of a POST to `http://HOST:PORT/PATH`."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    sent = {"host": parts.netloc, **headers, "content-length": str(len(payload))}
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join([*lines, "", ""]).encode() + payload


def address(url: str) -> tuple[str, int]:
    """Host and port of `http://HOST:PORT`."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        raise ValueError(f"not of the form http://HOST:PORT: {url}")
    return parts.hostname, parts.port


def chat_body(model: str, *, stream: bool = False) -> dict[str, Any]:
    """A small chat request as SDKs send it."""
    message = {"role": "user", "content": "Say hello to the benchmark in a few words, please."}
    return {"model": model, "messages": [message], "temperature": 0.5, "stream": stream}


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
        if not received.startswith(_OK):
            self.failures += 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop: a fault, unless the run is over."""
        self.failures += 1

    def start_counting(self) -> None:
        """Forget the warm-up."""
        self.latencies_ns = array("q")
        self.failures = 0

    def stop(self) -> None:
        """Leave, whatever is under way."""
        self._transport.abort()


def is_whole(received: bytes) -> bool:
    """Whether these bytes hold a complete HTTP response."""
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    length = _LENGTH.search(received, 0, head_end)
    if length is None:
        return received.endswith(b"0\r\n\r\n")
    return len(received) >= head_end + 4 + int(length[1])


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
            self.fault = "no [DONE]" if data.startswith(_OK) else data[:200].decode("latin-1")
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


def percentiles_ms(values_ns: Sequence[int]) -> dict[str, float]:
    """P50, P90, P99 and the maximum, in milliseconds; zeros where there is nothing."""
    ordered = sorted(values_ns) or [0]
    last = len(ordered) - 1
    points = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: ordered[round(last * point)] / 1e6 for name, point in points.items()}


async def run_unary(url: str, request: bytes, connections: int, seconds: float) -> dict[str, Any]:
    """Requests per second and latencies of `connections` closed loops over `seconds`."""
    loop = asyncio.get_running_loop()
    host, port = address(url)
    clients = [
        (await loop.create_connection(lambda: UnaryConnection(request), host, port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(_WARM_UP_SECONDS)
    for client in clients:
        client.start_counting()
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - started
    failures = sum(client.failures for client in clients)
    latencies = [latency for client in clients for latency in client.latencies_ns]
    for client in clients:
        client.stop()
    return {
        "requests": len(latencies),
        "failures": failures,
        "per_second": len(latencies) / elapsed,
        "latency_ms": percentiles_ms(latencies),
    }


async def run_streams(url: str, request: bytes, streams: int, events: int, seconds: float) -> dict[str, Any]:
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
    return _stream_figures(clients, events)


def _stream_figures(clients: Sequence[StreamConnection], events: int) -> dict[str, Any]:
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
        "events_per_second": len(delays) / (span_ns / 1e9) if begun and span_ns else 0.0,
        "delay_ms": percentiles_ms(delays),
        "first_event_ms": percentiles_ms(
            [client.first_ns - client.sent_ns for client in clients if client.first_ns]
        ),
    }


def main() -> None:
    """Run one measurement and print its figures as JSON."""
    parser = argparse.ArgumentParser(description="Load generator: one measurement, printed as JSON.")
    parser.add_argument("mode", choices=["unary", "streams"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--api-key", default="")
    parser.add_argument(
        "--connections", type=int, default=1, help="unary: closed loops; streams: streams at once"
    )
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument(
        "--rate", type=int, default=50, help="streams: events per second of each; 0: all at once"
    )
    parser.add_argument(
        "--events", type=int, default=0, help="streams: events of each; 0: what the time allows"
    )
    arguments = parser.parse_args()
    events = arguments.events or max(1, round(arguments.seconds * arguments.rate))
    streams = arguments.mode == "streams"
    pace = f"-r{arguments.rate}" if arguments.rate else ""
    # Unpaced streams begin together: a ramp would bound the throughput that is to be measured.
    seconds = arguments.seconds if arguments.rate or not streams else 0.0
    model = f"bench-n{events}{pace}" if streams else "bench-n1"
    request = http_request(arguments.url, chat_body(model, stream=streams), arguments.api_key)
    measurement = (
        run_streams(arguments.url, request, arguments.connections, events, seconds)
        if streams
        else run_unary(arguments.url, request, arguments.connections, arguments.seconds)
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(measurement)
    sys.stdout.buffer.write(orjson.dumps(figures) + b"\n")


if __name__ == "__main__":
    main()
