"""Server-sent events, decoded from bytes cut anywhere (LF, CR and CRLF; cut between CR and LF too).

Source: the WHATWG HTML standard, section "Server-sent events". Kept deliberately: `id` and `retry` mean
nothing to a proxy and are dropped; lines that are no SSE at all are kept apart in `stray`, because some
providers report an error as bare JSON in the middle of a stream.
"""

from __future__ import annotations

from typing import NamedTuple

from fastproxy.errors import ErrorKind, UpstreamError

MAX_EVENT_BYTES = 64 * 1024 * 1024
MAX_STRAY_BYTES = 64 * 1024


class SseEvent(NamedTuple):
    """One event that carries data."""

    event: str
    """The `event:` field, "" where there was none."""
    data: bytes
    """The `data:` lines, joined by LF."""


class SseDecoder:
    """Feed it bytes, get whole events. One object a stream."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._held_cr = False
        self._at_start = True
        self.stray = b""
        """Lines that are not SSE, joined by LF (bounded): bare JSON errors of some providers."""

    def feed(self, data: bytes) -> list[SseEvent]:
        """The events that these bytes complete. Raises UpstreamError where one grows past all bounds."""
        self._buffer += self._unify_newlines(data)
        events: list[SseEvent] = []
        start = 0
        while (end := self._buffer.find(b"\n\n", max(start, self._scanned - 1))) >= 0:
            self._parse(bytes(self._buffer[start:end]), events)
            start = self._scanned = end + 2
        if start:
            del self._buffer[:start]
        self._scanned = len(self._buffer)
        if self._scanned > MAX_EVENT_BYTES:
            raise UpstreamError(ErrorKind.BAD_RESPONSE, "The provider sent an event of over 64 MiB.")
        return events

    def finish(self) -> list[SseEvent]:
        """The last event, where the stream ended without an empty line."""
        events: list[SseEvent] = []
        self._parse(bytes(self._buffer), events)
        self._buffer.clear()
        return events

    def _unify_newlines(self, data: bytes) -> bytes:
        if self._at_start and data:
            self._at_start = False
            data = data.removeprefix(b"\xef\xbb\xbf")
        if self._held_cr:
            data, self._held_cr = b"\r" + data, False
        if b"\r" not in data:
            return data
        if data.endswith(b"\r"):  # perhaps half of a CRLF: decide when the next byte is here
            data, self._held_cr = data[:-1], True
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _parse(self, block: bytes, events: list[SseEvent]) -> None:
        if block.startswith(b"data: ") and b"\n" not in block:  # nearly all events are this one line
            events.append(SseEvent("", block[6:]))
            return
        name, data = "", []
        for line in block.split(b"\n"):
            field, _colon, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                data.append(value)
            elif field == b"event":
                name = value.decode("utf-8", "replace")
            elif line and field not in (b"", b"id", b"retry") and len(self.stray) < MAX_STRAY_BYTES:
                self.stray += line + b"\n"
        if data:
            events.append(SseEvent(name, b"\n".join(data)))
