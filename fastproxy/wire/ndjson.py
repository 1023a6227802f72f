"""Newline-delimited JSON, cut into its lines however the bytes were cut (LF and CRLF); it parses nothing.

Only LF ends a line: U+2028 and U+0085 may stand inside JSON, which is why `splitlines` is not used.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastproxy.errors import ErrorKind, UpstreamError

MAX_LINE_BYTES = 64 * 1024 * 1024


class NdjsonDecoder:
    """Feed it bytes, get whole lines without blank ones. One object a stream."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that these bytes complete. Lazy, so that the lines before one that is too long still
        come; raises UpstreamError there."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            if self._held:
                line = bytes(self._held) + line
                self._held.clear()
            if whole := _whole(line):
                yield whole
        self._held += rest
        _check(len(self._held))

    def finish(self) -> Iterator[bytes]:
        """The last line, where the stream ended without a newline."""
        if whole := _whole(bytes(self._held)):
            yield whole
        self._held.clear()


def _whole(line: bytes) -> bytes:
    _check(len(line))
    return line.strip()


def _check(size: int) -> None:
    if size > MAX_LINE_BYTES:
        raise UpstreamError(
            ErrorKind.BAD_RESPONSE, f"The provider sent a line of over {MAX_LINE_BYTES} bytes."
        )
