"""Compressed bodies: the same bytes come out, and never more than the bound."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.inflate import ACCEPTED, INLINE_BYTES, inflate


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def zstd_of_unknown_size(data: bytes) -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(data) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "x-gzip": lambda data: gzip.compress(data[:1]) + gzip.compress(data[1:]),
    "deflate": zlib.compress,
    " Deflate ": raw_deflate,
    "zstd": zstandard.compress,
    "ZSTD": zstd_of_unknown_size,
}


async def refusal(body: bytes, coding: str, limit: int = 1_000_000) -> ProxyError:
    with pytest.raises(ProxyError) as caught:
        await inflate(body, coding, limit)
    return caught.value


@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize("size", [0, 1, INLINE_BYTES - 1, INLINE_BYTES, INLINE_BYTES + 1, 3_000_000])
async def test_what_was_packed_comes_out(coding: str, size: int) -> None:
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    assert await inflate(PACKERS[coding](data), coding, 3_000_000) == data


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
async def test_a_body_without_a_coding_stays_the_same_object(coding: str) -> None:
    body = b'{"model":"m"}'
    assert await inflate(body, coding, 5) is body


@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize("limit", [1_024, INLINE_BYTES - 1, INLINE_BYTES, 2_000_000])
async def test_one_byte_over_the_bound_is_too_large(coding: str, limit: int) -> None:
    pack = PACKERS[coding]
    assert len(await inflate(pack(bytes(limit)), coding, limit)) == limit
    assert (await refusal(pack(bytes(limit + 1)), coding, limit)).kind is ErrorKind.REQUEST_TOO_LARGE


@pytest.mark.parametrize("coding", PACKERS)
async def test_a_bomb_is_not_inflated_beyond_the_bound(coding: str) -> None:
    bomb, limit = PACKERS[coding](bytes(200_000_000)), 4_000_000
    tracemalloc.start()
    try:
        error = await refusal(bomb, coding, limit)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.status == 413
    assert most < 2 * limit + len(bomb)


async def test_a_frame_that_wants_a_huge_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    frame = packer.compress(b"x" * 100) + packer.flush()
    assert (await refusal(frame, "zstd")).status == 400


@pytest.mark.parametrize("coding", ["br", "compress", "gzip, gzip", "zstd,gzip", "gzip;q=1", "\u00fcber"])
async def test_other_codings_are_refused_naming_ours(coding: str) -> None:
    error = await refusal(b"x", coding)
    assert error.kind is ErrorKind.UNSUPPORTED_MEDIA_TYPE
    assert ACCEPTED in error.message
    assert error.headers == {"accept-encoding": ACCEPTED}


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
async def test_bytes_that_are_no_such_data_are_told(coding: str) -> None:
    error = await refusal(b'{"model":"plain json"}', coding)
    assert error.status == 400
    assert coding in error.message


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_cut_body_is_told(coding: str) -> None:
    packed = PACKERS[coding](b"some text " * 50_000)
    assert (await refusal(packed[:-4], coding)).status == 400


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "zstd"]), st.booleans(), st.data())
async def test_any_bytes_are_data_or_an_error(
    data: bytes, coding: str, packed: bool, draw: st.DataObject
) -> None:
    if packed:
        data = bytearray(PACKERS[coding](data))
        at = draw.draw(st.integers(0, len(data) - 1))
        data[at] ^= draw.draw(st.integers(0, 255))
        data = bytes(data)
    try:
        assert len(await inflate(data, coding, 1_000)) <= 1_000
    except ProxyError as error:
        assert error.status in (400, 413)
