"""A request's body as a JSON object, or one clear error."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.body import load_json
from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.http import HttpRequest


def request(body: bytes, limit: int = 10_000, **headers: str) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest("POST", "/", named, body, body_limit=limit)


async def refusal(body: bytes, limit: int = 10_000, **headers: str) -> ProxyError:
    with pytest.raises(ProxyError) as caught:
        await load_json(request(body, limit, **headers))
    return caught.value


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/problem+json",
        " application/json ",
    ],
)
async def test_json_is_taken(kind: str) -> None:
    assert await load_json(request(b'{"a":1}', content_type=kind)) == {"a": 1}


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
async def test_what_a_web_page_may_send_unasked_is_not(kind: str) -> None:
    error = await refusal(b'{"a":1}', content_type=kind)
    assert error.status == 415
    assert "application/json" in error.message


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"1", b'"x"', b"null", b"\xff", b'{"a":NaN}', b"[" * 5000]
)
async def test_what_is_no_object_is_told(body: bytes) -> None:
    assert (await refusal(body)).kind is ErrorKind.INVALID_JSON


async def test_an_error_does_not_repeat_the_body() -> None:
    assert "secret" not in (await refusal(b'{"secret": secret}')).message


@given(st.binary(max_size=200))
async def test_any_bytes_are_an_object_or_an_error(body: bytes) -> None:
    try:
        assert isinstance(await load_json(request(body)), dict)
    except ProxyError as error:
        assert error.status == 400


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b'{"a":1}', mtime=0)),
        ("deflate", zlib.compress(b'{"a":1}')),
        ("identity", b'{"a":1}'),
    ],
)
async def test_a_compressed_body_is_read(coding: str, packed: bytes) -> None:
    assert await load_json(request(packed, content_encoding=coding)) == {"a": 1}


async def test_a_body_that_grows_over_the_limit_is_refused() -> None:
    packed = gzip.compress(b'{"a":"' + b"x" * 100_000 + b'"}', mtime=0)
    assert (await refusal(packed, content_encoding="gzip")).kind is ErrorKind.REQUEST_TOO_LARGE


@pytest.mark.parametrize(("coding", "status"), [("br", 415), ("gzip, gzip", 415), ("gzip", 400)])
async def test_another_coding_or_a_broken_one_is_told(coding: str, status: int) -> None:
    assert (await refusal(b"x", content_encoding=coding)).status == status
