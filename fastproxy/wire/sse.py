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


_MARK = b"\xef\xbb\xbf"


class SseEvent(NamedTuple):
    """One event that carries data."""

    event: str
    """The `event:` field, "" where there was none."""
    data: bytes
    """The `data:` lines, joined by LF."""


class Newlines:
    """Makes CRLF and CR into LF, however the bytes are cut; drops a byte order mark. One object a stream."""

    def __init__(self) -> None:
        self.held_cr = False
        """The last byte was a CR, perhaps half of a CRLF."""
        self.at_start = True
        self._beginning = b""

    def unify(self, data: bytes) -> bytes:
        """These bytes with LF only; the same object where nothing is to be changed."""
        if self.at_start and data:
            data = self._beginning + data
            if len(data) < len(_MARK) and _MARK.startswith(data):  # perhaps a byte order mark, cut
                self._beginning = data
                return b""
            self.at_start = False
            data = data.removeprefix(_MARK)
        if self.held_cr:
            data, self.held_cr = b"\r" + data, False
        if b"\r" not in data:
            return data
        if data.endswith(b"\r"):  # perhaps half of a CRLF: decide when the next byte is here
            data, self.held_cr = data[:-1], True
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


class SseFrames:
    """Whole events as they are, for streams that pass through. One object a stream."""

    def __init__(self) -> None:
        self._newlines = Newlines()
        self._held: list[bytes] = []
        self._size = 0
        self.at_seam = False
        """Nothing is held and the next byte begins an event (not the first: it may be a mark)."""

    def take(self, data: bytes) -> bytes:
        """The bytes of all events that are whole now, each ended by an empty line; the same object where
        nothing is held or changed. Raises UpstreamError where an event grows past all bounds."""
        whole = self._take(self._newlines.unify(data))
        self.at_seam = not self._held and not self._newlines.held_cr and not self._newlines.at_start
        return whole

    def _take(self, data: bytes) -> bytes:
        if not data:
            return b""
        if self._held:
            at_seam = self._held[-1].endswith(b"\n") and data.startswith(b"\n")
            if not at_seam and b"\n\n" not in data:
                return self._hold(data)
            data = b"".join((*self._held, data))
            self._held.clear()
            self._size = 0
        end = data.rfind(b"\n\n") + 2
        if end == 1:
            return self._hold(data)
        if end < len(data):
            self._hold(data[end:])
        return data[:end]

    def rest(self) -> bytes:
        """What is left at the end of the stream: an event without its empty line, or b""."""
        rest = b"".join(self._held)
        self._held.clear()
        return rest

    def _hold(self, data: bytes) -> bytes:
        self._held.append(data)
        self._size += len(data)
        if self._size > MAX_EVENT_BYTES:
            raise _too_large()
        return b""


def _too_large() -> UpstreamError:
    return UpstreamError(ErrorKind.BAD_RESPONSE, "The provider sent an event of over 64 MiB.")


class SseDecoder:
    """Feed it bytes, get whole events. One object a stream."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._newlines = Newlines()
        self.stray = b""
        """Lines that are not SSE, joined by LF (bounded): bare JSON errors of some providers."""

    def feed(self, data: bytes) -> list[SseEvent]:
        """The events that these bytes complete. Raises UpstreamError where one grows past all bounds."""
        self._buffer += self._newlines.unify(data)
        events: list[SseEvent] = []
        start = 0
        while (end := self._buffer.find(b"\n\n", max(start, self._scanned - 1))) >= 0:
            self._parse(bytes(self._buffer[start:end]), events)
            start = self._scanned = end + 2
        if start:
            del self._buffer[:start]
        self._scanned = len(self._buffer)
        if self._scanned > MAX_EVENT_BYTES:
            raise _too_large()
        return events

    def finish(self) -> list[SseEvent]:
        """The last event, where the stream ended without an empty line."""
        events: list[SseEvent] = []
        self._parse(bytes(self._buffer), events)
        self._buffer.clear()
        return events

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
