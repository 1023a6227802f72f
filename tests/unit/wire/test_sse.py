"""The SSE decoder: the same events however the bytes were cut, and nothing lost at the edges."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import UpstreamError
from fastproxy.wire import sse
from fastproxy.wire.sse import SseDecoder, SseEvent


def decode(*pieces: bytes) -> list[SseEvent]:
    decoder = SseDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.finish()


texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=20)
events_ = st.lists(st.tuples(st.sampled_from(["", "ping", "delta"]), texts), max_size=6)


@given(events_, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 400), max_size=12))
def test_any_cut_gives_the_same_events(events: list[tuple[str, str]], newline: str, cuts: list[int]) -> None:
    lines = [
        (f"event: {name}{newline}" if name else "") + f"data: {text}{newline * 2}" for name, text in events
    ]
    raw = "".join(lines).encode()
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    pieces = [raw[a:b] for a, b in itertools.pairwise(edges)]
    assert decode(*pieces) == [SseEvent(name, text.encode()) for name, text in events]


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    decode(*pieces)


def test_several_data_lines_are_joined_by_lf() -> None:
    assert decode(b"data: a\ndata:b\n\n") == [SseEvent("", b"a\nb")]


def test_comments_ids_and_retries_are_dropped() -> None:
    assert decode(b": keep-alive\n\nid: 7\nretry: 3\ndata: x\n\n") == [SseEvent("", b"x")]


def test_a_last_event_without_an_empty_line_is_not_lost() -> None:
    assert decode(b"data: x\n\ndata: y") == [SseEvent("", b"x"), SseEvent("", b"y")]


def test_a_byte_order_mark_is_skipped() -> None:
    assert decode(b"\xef\xbb\xbfdata: x\n\n") == [SseEvent("", b"x")]


def test_lines_that_are_no_sse_are_kept_apart() -> None:
    decoder = SseDecoder()
    decoder.feed(b'data: x\n\n{"error": {\n"code": 429}}\n\n')
    decoder.finish()
    assert decoder.stray == b'{"error": {\n"code": 429}}\n'


def test_an_event_past_all_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    with pytest.raises(UpstreamError):
        decode(b"data: " + b"x" * 200)
