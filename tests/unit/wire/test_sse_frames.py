"""Whole events as they are: the frames that a passthrough works on."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import UpstreamError
from fastproxy.wire import sse
from fastproxy.wire.sse import SseFrames


def test_whole_events_are_the_very_same_object() -> None:
    frames = SseFrames()
    assert not frames.at_seam
    for data in (b"data: x\n\n", b"data: y\n\ndata: z\n\n"):
        assert frames.take(data) is data
        assert frames.at_seam


def test_what_is_not_whole_is_held_until_it_is() -> None:
    frames = SseFrames()
    assert frames.take(b"data: x\n\ndata:") == b"data: x\n\n"
    assert not frames.at_seam
    assert frames.take(b" y\r") == b""
    assert frames.take(b"\n\r\nda") == b"data: y\n\n"
    assert frames.rest() == b"da"
    assert frames.rest() == b""


@given(
    st.lists(st.sampled_from([b"data: x", b"\n", b"\r\n", b"\n\n", b": c", b"\r"]), max_size=12),
    st.lists(st.integers(0, 60), max_size=12),
)
def test_any_cut_gives_the_same_lines(parts: list[bytes], cuts: list[int]) -> None:
    raw = b"".join(parts)
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    whole, cut = SseFrames(), SseFrames()
    expected = whole.take(raw) + whole.rest()
    pieces = [raw[a:b] for a, b in itertools.pairwise(edges)]
    taken = [cut.take(piece) for piece in pieces]
    assert b"".join(taken) + cut.rest() == expected
    assert all(piece.endswith(b"\n\n") for piece in taken if piece)


def test_an_event_past_all_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    frames = SseFrames()
    frames.take(b"data: " + b"x" * 60)
    with pytest.raises(UpstreamError):
        frames.take(b"x" * 60)
