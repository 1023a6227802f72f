"""The NDJSON decoder: the same lines however the bytes were cut, and a bound on each."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import UpstreamError
from fastproxy.wire import ndjson
from fastproxy.wire.ndjson import NdjsonDecoder


def decode(*pieces: bytes) -> list[bytes]:
    decoder = NdjsonDecoder()
    lines = [line for piece in pieces for line in decoder.feed(piece)]
    return lines + list(decoder.finish())


texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=20)


@given(
    st.lists(texts, max_size=6),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
    st.booleans(),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_any_cut_gives_the_same_lines(words: list[str], newline: str, ends: bool, cuts: list[int]) -> None:
    lines = [f'{{"{word}"}}'.encode() for word in words]
    raw = newline.encode().join(lines) + (newline.encode() if ends else b"")
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    assert decode(*(raw[a:b] for a, b in itertools.pairwise(edges))) == lines


def test_unicode_line_separators_do_not_end_a_line() -> None:
    line = '{"a":"\u2028\u0085"}'.encode()
    assert decode(line + b"\n") == [line]


def test_lines_before_one_that_is_too_long_still_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "MAX_LINE_BYTES", 10)
    lines = NdjsonDecoder().feed(b"{}\n" + b"x" * 11 + b"\n")
    assert next(lines) == b"{}"
    with pytest.raises(UpstreamError):
        next(lines)


def test_a_line_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "MAX_LINE_BYTES", 10)
    with pytest.raises(UpstreamError):
        decode(b"123456", b"789012")
