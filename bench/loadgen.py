"""The load generator, one run a process: unary requests in a closed loop, or many paced streams at once.

It speaks raw HTTP/1.1 on uvloop, so that it takes little of the machine it measures, and prints one line of
JSON, with the CPU seconds that it took itself.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

import orjson
import uvloop

from bench.http_bytes import PATH, chat_body, post
from bench.streams import run_streams
from bench.unary import run_unary


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Load generator: one measurement, printed as JSON.")
    add = parser.add_argument
    add("mode", choices=["unary", "streams"])
    add("--url", required=True)
    add("--header", action="append", default=[], metavar="NAME:VALUE")
    add("--connections", type=int, default=1, help="unary: closed loops; streams: streams at once")
    add("--seconds", type=float, default=2.0)
    add("--rate", type=int, default=50, help="streams: events per second of each; 0: all at once")
    add("--events", type=int, default=0, help="streams: events of each; 0: what the time allows")
    add("--size", type=int, default=0, help="of the request's body, in bytes; 0: small")
    return parser.parse_args()


def main() -> None:
    """Run one measurement and print its figures as JSON."""
    arguments = _arguments()
    events = arguments.events or max(1, round(arguments.seconds * arguments.rate))
    streams = arguments.mode == "streams"
    pace = f"-r{arguments.rate}" if arguments.rate else ""
    # Unpaced streams begin together: a ramp would bound the throughput that is to be measured.
    seconds = arguments.seconds if arguments.rate or not streams else 0.0
    model = f"bench-n{events}{pace}" if streams else "bench-n1"
    body = orjson.dumps(chat_body(model, stream=streams, size=arguments.size))
    headers = dict(header.split(":", 1) for header in arguments.header)
    request = post(f"{arguments.url}{PATH}", headers, body)
    measurement = (
        run_streams(arguments.url, request, arguments.connections, events, seconds)
        if streams
        else run_unary(arguments.url, request, arguments.connections, arguments.seconds)
    )
    started = time.process_time()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(measurement)
    figures["generator_cpu_seconds"] = time.process_time() - started
    sys.stdout.buffer.write(orjson.dumps(figures) + b"\n")


if __name__ == "__main__":
    main()
