"""Passes one streamed answer on: first content, timeouts, a slow or vanished client, faults in its middle.

Law: nothing goes to the client before the provider's first content; until then every fault is an exception
that may be retried. Afterwards a fault is told inside the stream, which then ends without its end marker.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.http import Sink
from fastproxy.resilience.deadline import Watchdog
from fastproxy.types import Deployment
from fastproxy.upstream.contract import UpstreamResponse
from fastproxy.wire.answer import AnswerStream
from fastproxy.wire.events import Carry

Keep = Callable[[Sequence[Carry]], Awaitable[None]]

MAX_HELD_BYTES = 16 * 1024 * 1024
"""What may come before the first content; more is no model's answer."""


class Relay:
    """One open stream between a provider and a client. Must be closed."""

    def __init__(
        self,
        source: UpstreamResponse,
        stream: AnswerStream,
        watchdog: Watchdog,
        deployment: Deployment,
        keep: Keep,
    ) -> None:
        self._source, self._watchdog, self._keep = source, watchdog, keep
        self._held = b""
        self._at_end = False
        self.stream = stream
        self.deployment = deployment
        self.bytes_out = 0
        self.waited_seconds = 0.0

    def __repr__(self) -> str:
        return f"<Relay {self.deployment.provider} bytes_out={self.bytes_out} fault={self.stream.fault!r}>"

    async def first(self) -> None:
        """Reads until the first content is there and holds it. Raises UpstreamError; sends nothing.

        To be called inside the watchdog.
        """
        held: list[bytes] = []
        size = 0
        while not self.stream.has_content and self.stream.fault is None:
            began = time.monotonic()
            chunk = await self._source.read_chunk()
            self.waited_seconds += time.monotonic() - began
            held.append(self._take(chunk))
            size += len(held[-1])
            if size > MAX_HELD_BYTES:
                raise UpstreamError(
                    ErrorKind.BAD_RESPONSE,
                    f"{self.deployment.provider} sent much and nothing of an answer.",
                )
            if chunk is None:
                break
        if self.stream.fault is not None:
            raise self.stream.fault
        if not self.stream.has_content:
            raise UpstreamError(
                ErrorKind.BAD_RESPONSE, f"{self.deployment.provider} ended its stream without an answer."
            )
        self._watchdog.first_content()
        self._held = b"".join(held)
        await self._remember()

    async def pump(self, sink: Sink) -> None:
        """Sends what is held and all that follows, to the end or a fault, which is told in the stream."""
        watchdog, stream, read, data = self._watchdog, self.stream, self._source.read_chunk, self._held
        now = watchdog.now
        try:
            with watchdog:
                while True:
                    if data:
                        watchdog.since = None  # a client that reads slowly is no fault of the provider's
                        await sink.write(data)
                        self.bytes_out += len(data)
                    watchdog.since = now()
                    if self._at_end or stream.fault is not None:
                        break
                    data = self._take(await read())
                    if stream.carries:
                        await self._remember()
        except UpstreamError as error:
            await self._source.aclose()  # now: a client that does not read may keep us here
            if self.stream.fault is None:
                data = self.stream.fail(error)
                await sink.write(data)
                self.bytes_out += len(data)

    def _take(self, chunk: bytes | None) -> bytes:
        if chunk is None:
            self._at_end = True
            return self.stream.end()
        return self.stream.feed(chunk)

    async def _remember(self) -> None:
        carries = self.stream.carries
        if carries:
            kept, carries[:] = list(carries), []
            await self._keep(kept)

    async def aclose(self) -> None:
        """Gives the connection back, or drops it where the answer was not read to its end."""
        await self._source.aclose()
