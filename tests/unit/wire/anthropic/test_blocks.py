"""Blocks as they open, grow and close."""

from __future__ import annotations

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.anthropic.blocks import Blocks
from fastproxy.wire.events import Annotations, Carry, Delta, Event, ToolDelta


def run(*blocks: Json) -> list[Event]:
    reader, events = Blocks(ChatRequest("m", ())), list[Event]()
    for index, block in enumerate(blocks):
        reader.start(index, block, events)
    reader.finish(events)
    return events


def test_blocks_left_open_are_closed_at_the_end() -> None:
    assert run({"type": "tool_use", "id": "t", "name": "f"}) == [
        ToolDelta(0, id="t", name="f"),
        ToolDelta(0, "{}"),
    ]


def test_a_block_that_takes_anothers_place_closes_it() -> None:
    reader, events = Blocks(ChatRequest("m", ())), list[Event]()
    for name in ("f", "g"):
        reader.start(0, {"type": "tool_use", "id": name, "name": name}, events)
    reader.finish(events)
    assert [event.arguments for event in events if isinstance(event, ToolDelta)] == ["", "{}", "", "{}"]


def test_thoughts_without_calls_are_not_carried() -> None:
    thought = {"type": "redacted_thinking", "data": "d"}
    assert run(thought) == []
    assert run(thought, {"type": "tool_use", "id": "t", "name": "f"})[-1] == Carry(
        "anthropic.thinking", "t", [thought]
    )


def test_citations_without_an_address_are_passed_over() -> None:
    cited = [{"type": "char_location", "cited_text": "c"}, {"url": "https://a.example"}]
    assert run({"type": "text", "text": "ab"}, {"type": "text", "text": "cd", "citations": cited}) == [
        Delta("ab"),
        Delta("cd"),
        Annotations(
            (
                {
                    "type": "url_citation",
                    "url_citation": {
                        "url": "https://a.example",
                        "title": "https://a.example",
                        "start_index": 2,
                        "end_index": 4,
                    },
                },
            )
        ),
    ]


def test_deltas_that_fit_no_block_are_passed_over() -> None:
    reader, events = Blocks(ChatRequest("m", ())), list[Event]()
    reader.delta(7, {"type": "input_json_delta", "partial_json": "{}"}, events)
    reader.stop(7, events)
    reader.start(1, {"type": "text", "text": ""}, events)
    reader.delta(1, {"type": "input_json_delta", "partial_json": "{}"}, events)
    reader.delta(1, {"type": "signature_delta", "signature": "s"}, events)
    reader.delta(1, {"type": "a_delta_of_next_year"}, events)
    reader.finish(events)
    assert events == []
