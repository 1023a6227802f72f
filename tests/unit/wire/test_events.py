"""Adding events up to a completion."""

from __future__ import annotations

import pytest

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.wire.events import (
    Annotations,
    Carry,
    Choice,
    Completion,
    Delta,
    Fault,
    Finish,
    Image,
    Reasoning,
    Refusal,
    ToolCall,
    ToolDelta,
    Usage,
    complete,
)


def test_pieces_add_up_to_one_choice() -> None:
    events = [
        Reasoning("th"),
        Reasoning("ink"),
        Delta("Hel", logprobs=({"token": "Hel"},)),
        Delta("lo", logprobs=({"token": "lo"},)),
        Annotations(({"type": "url_citation"},)),
        Image("data:image/png;base64,AA=="),
        Finish("stop", native="STOP"),
        Usage(1, 2, 3),
    ]
    assert complete(events) == Completion(
        [
            Choice(
                text="Hello",
                reasoning="think",
                annotations=[{"type": "url_citation"}],
                images=["data:image/png;base64,AA=="],
                logprobs=[{"token": "Hel"}, {"token": "lo"}],
                finish_reason="stop",
                native_finish="STOP",
            )
        ],
        Usage(1, 2, 3),
    )


def test_arguments_of_parallel_calls_are_put_together_by_index() -> None:
    events = [
        ToolDelta(0, '{"a"', "c0", "f", extra_content={"x": 1}),
        ToolDelta(1, "", "c1", "g"),
        ToolDelta(0, ":1}"),
        ToolDelta(1, "{}"),
        Finish("tool_calls"),
    ]
    (choice,) = complete(events).choices
    assert choice.text is None
    assert choice.tool_calls == [ToolCall("c0", "f", '{"a":1}', {"x": 1}), ToolCall("c1", "g", "{}")]
    assert choice.finish_reason == "tool_calls"


def test_choices_come_in_the_order_of_their_numbers() -> None:
    events = [Delta("b", choice=1), Delta("a"), Finish("stop", choice=1), Finish("length")]
    assert [(c.index, c.text, c.finish_reason) for c in complete(events).choices] == [
        (0, "a", "length"),
        (1, "b", "stop"),
    ]


def test_a_refusal_is_no_text() -> None:
    (choice,) = complete([Refusal("I "), Refusal("won't"), Finish("stop")]).choices
    assert (choice.text, choice.refusal) == (None, "I won't")


def test_carries_are_collected_beside_the_choices() -> None:
    carry = Carry("deepseek.reasoning", "c0", "thoughts")
    assert complete([carry]) == Completion([], None, [carry])


def test_a_fault_is_raised_whatever_came_before() -> None:
    error = UpstreamError(ErrorKind.OVERLOADED, "too busy")
    with pytest.raises(UpstreamError, match="too busy"):
        complete([Delta("half an ans"), Fault(error)])


def test_nothing_adds_up_to_nothing() -> None:
    assert complete([]) == Completion([])
