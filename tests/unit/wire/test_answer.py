"""An answer that is translated: what is known about it after each piece."""

from __future__ import annotations

import pytest

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.wire.answer import RenderedStream
from fastproxy.wire.events import Carry, Delta, Event, Fault, Finish, Reasoning, ToolDelta, Usage
from fastproxy.wire.openai.chat_render import ChatRenderer

BUSY = UpstreamError(ErrorKind.OVERLOADED, "too busy")


class Dictated:
    """A translator that gives the events it was told to, one list a chunk; at the end the last list."""

    def __init__(self, *lists: list[Event]) -> None:
        self._lists = list(lists)

    def feed(self, data: bytes) -> list[Event]:
        return self._lists.pop(0)

    def finish(self) -> list[Event]:
        return self._lists.pop(0) if self._lists else []


def stream(*lists: list[Event]) -> RenderedStream:
    return RenderedStream(Dictated(*lists), ChatRenderer("id", 1, "m", True))


@pytest.mark.parametrize(
    "event", [Delta("x"), Reasoning("x"), ToolDelta(0, "{}", "c", "f"), Finish("stop"), Fault(BUSY)]
)
def test_this_is_content(event: Event) -> None:
    answer = stream([event])
    answer.feed(b"x")
    assert answer.has_content


@pytest.mark.parametrize("event", [Usage(1, 1, 2), Carry("deepseek.reasoning", "c", "x")])
def test_this_is_no_content_and_shows_nothing(event: Event) -> None:
    answer = stream([event], [])
    assert answer.feed(b"x") == b""
    assert answer.feed(b"x") == b""
    assert not answer.has_content


def test_usage_finish_and_carries_are_noted() -> None:
    carry = Carry("gemini.signature", "c", "sig")
    answer = stream([Delta("x"), carry], [Finish("stop", native="END"), Usage(1, 2, 3)])
    answer.feed(b"x")
    answer.feed(b"x")
    assert (answer.usage, answer.finish, answer.carries, answer.fault) == (
        Usage(1, 2, 3),
        "END",
        [carry],
        None,
    )


def test_without_a_native_word_the_finish_is_ours() -> None:
    answer = stream([Finish("length")])
    answer.feed(b"x")
    assert answer.finish == "length"


def test_a_whole_answer_ends_with_done() -> None:
    answer = stream([Delta("x")], [Finish("stop")])
    answer.feed(b"x")
    end = answer.end()
    assert b'"finish_reason":"stop"' in end
    assert end.endswith(b"data: [DONE]\n\n")


def test_a_fault_at_the_end_leaves_done_out() -> None:
    answer = stream([Delta("x")], [Fault(BUSY)])
    answer.feed(b"x")
    end = answer.end()
    assert b"too busy" in end
    assert b"[DONE]" not in end
    assert answer.fault is BUSY


def test_a_fault_from_outside_is_told_once_and_leaves_done_out() -> None:
    answer = stream([Delta("x")])
    answer.feed(b"x")
    assert b"too busy" in answer.fail(BUSY)
    assert answer.fault is BUSY
    assert answer.end() == b""
