"""Request bodies under a content coding, inflated within bounds: never more bytes than asked for.

The table is RFC 9110 §8.4.1 (gzip, deflate) and RFC 8878 (zstd). "deflate" means zlib's format, but some
clients send the raw one: both are taken. Several codings in a row are refused: no client needs them.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import zlib
from collections.abc import Callable
from typing import NamedTuple, Protocol

from fastproxy.errors import ErrorKind, ProxyError

INLINE_BYTES = 256 * 1024
"""What is inflated on the event loop (0.3 ms); the rest of a larger body goes to a thread."""
_PIECE_BYTES = 1024 * 1024
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
"""RFC 9659: what a receiver of the content coding has to take, and the memory that one body may cost."""


class Readable(Protocol):
    """What inflates: as many bytes as asked for, fewer at the end."""

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes at most."""
        ...


class _Opened(NamedTuple):
    reader: Readable
    faults: tuple[type[Exception], ...]
    """What reading raises where the data are corrupt."""


class _Deflate:
    """zlib's format or raw DEFLATE: the first two bytes tell (RFC 1950 §2.2)."""

    def __init__(self, data: bytes) -> None:
        is_zlib = len(data) > 1 and data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        self._rest = data

    def read(self, size: int) -> bytes:
        piece = self._inflater.decompress(self._rest, size)
        self._rest = self._inflater.unconsumed_tail
        ended = len(piece) < size
        if ended and (not self._inflater.eof or self._inflater.unused_data):
            raise EOFError("the stream is cut or has bytes after its end")
        return piece


def _open_gzip(data: bytes) -> _Opened:
    return _Opened(gzip.GzipFile(fileobj=io.BytesIO(data)), (OSError, EOFError, zlib.error))


def _open_deflate(data: bytes) -> _Opened:
    return _Opened(_Deflate(data), (EOFError, zlib.error))


def _open_zstd(data: bytes) -> _Opened:
    import zstandard  # most processes never meet a zstd body

    inflater = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    return _Opened(inflater.stream_reader(data, read_across_frames=True), (zstandard.ZstdError,))


_CODINGS: dict[str, Callable[[bytes], _Opened]] = {
    "gzip": _open_gzip,
    "x-gzip": _open_gzip,
    "deflate": _open_deflate,
    "zstd": _open_zstd,
}
_NO_CODING = ("", "identity")
ACCEPTED = "gzip, deflate, zstd"


async def inflate(body: bytes, content_encoding: str, limit: int) -> bytes:
    """The body without its coding. Raises ProxyError: 415 for a coding we do not take, 400 for corrupt data,
    413 for more than `limit` bytes."""
    name = content_encoding.strip().lower()
    if name in _NO_CODING:
        return body
    if name not in _CODINGS:
        raise ProxyError(
            ErrorKind.UNSUPPORTED_MEDIA_TYPE,
            f"The content encoding {name[:80]!r} is not taken; send one of {ACCEPTED}, or none.",
            headers={"accept-encoding": ACCEPTED},
        )
    opened = _CODINGS[name](body)
    try:
        start = opened.reader.read(min(INLINE_BYTES, limit + 1))
        if len(start) < INLINE_BYTES and len(start) <= limit:
            return start
        return await asyncio.to_thread(_read_on, opened.reader, start, limit)
    except opened.faults:
        raise ProxyError(
            ErrorKind.INVALID_REQUEST, f"The body is not valid {name} data, as its content-encoding says."
        ) from None


def _read_on(reader: Readable, start: bytes, limit: int) -> bytes:
    pieces, size = [start], len(start)
    while size <= limit:
        wanted = min(_PIECE_BYTES, limit + 1 - size)
        piece = reader.read(wanted)
        pieces.append(piece)
        size += len(piece)
        if len(piece) < wanted:
            return b"".join(pieces)
    raise too_large(limit)


def too_large(limit: int) -> ProxyError:
    """The error for a body over the limit, as sent or inflated."""
    return ProxyError(
        ErrorKind.REQUEST_TOO_LARGE,
        f"The request's body is larger than {limit} bytes (server.max_body_bytes).",
        headers={"connection": "close"},
    )
