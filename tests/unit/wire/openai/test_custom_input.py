"""The text of a custom tool's call: the same however the model's JSON is written and cut."""

from __future__ import annotations

import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.types import Json
from fastproxy.wire.openai.custom_input import InputReader, read_input, wrap_inputs

CUSTOM = frozenset({"ApplyPatch"})
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\/\n\t😀u'))
PIECES = st.sampled_from(
    ['{"input": "', "{", '"input"', ":", '"', "\\", "u", "d83d", "\\ude00", "\\u12", "é", " "]
)


def read(text: str, cuts: list[int]) -> str:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    reader = InputReader()
    return "".join(reader.feed(text[a:b]) for a, b in itertools.pairwise(edges)) + reader.end()


def escaped(text: str) -> str:
    """JSON that is all ASCII."""
    units = text.encode("utf-16-be")
    return "".join(
        chr(unit) if 32 <= unit < 127 and chr(unit) not in '"\\' else f"\\u{unit:04x}"
        for unit in (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    )


@given(TEXTS, st.lists(st.integers(0, 200)))
def test_any_text_comes_back_however_it_is_written_and_cut(text: str, cuts: list[int]) -> None:
    assert read(orjson.dumps({"input": text}).decode(), cuts) == text
    assert read(orjson.dumps({"input": text}, option=orjson.OPT_INDENT_2).decode(), cuts) == text
    assert read('{"input":"' + escaped(text) + '"}', cuts) == text


@given(st.lists(PIECES).map("".join) | st.text(), st.lists(st.integers(0, 60)))
def test_whatever_the_model_writes_reads_the_same_cut_or_whole(written: str, cuts: list[int]) -> None:
    assert read(written, cuts) == read_input(written)


def test_text_flows_before_the_call_is_whole() -> None:
    reader = InputReader()
    assert reader.feed('{"input":"*** Begin') == "*** Begin"
    assert reader.feed(" Patch\\") == " Patch"
    assert reader.feed("n+x") == "\n+x"
    assert reader.feed('"}') == ""
    assert reader.end() == ""


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("*** Begin Patch\n+x", "*** Begin Patch\n+x"),
        ('{"note": 1, "input": "x"}', "x"),
        ('{"patch": "x"}', '{"patch": "x"}'),
        ('{"input": 3}', '{"input": 3}'),
        ("[1]", "[1]"),
        ("{}", ""),
        ("", ""),
        ('{"input": "cut of', "cut of"),
        ('{"input": "lone \\ud83d half"}', "lone \N{REPLACEMENT CHARACTER} half"),
        ('{"input": "lone \\ude00 half"}', "lone \N{REPLACEMENT CHARACTER} half"),
        ('{"input": "no \\x escape"}', "no \\x escape"),
        ('{"input": "no \\u12zz"}', "no \\u12zz"),
        ('{"input": "a line\nbreak"}', "a line\nbreak"),
    ],
)
def test_what_models_write_instead(written: str, text: str) -> None:
    assert read_input(written) == text


def history(arguments: str, name: str = "ApplyPatch") -> tuple[Json, ...]:
    function = {"name": name, "arguments": arguments}
    return ({"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": function}]},)


@pytest.mark.parametrize(
    ("arguments", "wrapped"),
    [
        ("*** Begin Patch\n", {"input": "*** Begin Patch\n"}),
        ('{"a": 1}', {"input": '{"a": 1}'}),
        ("12", {"input": "12"}),
        ("{}", {"input": ""}),
        ('{"input":"kept"}', {"input": "kept"}),
    ],
)
def test_bare_text_in_the_history_becomes_json_again(arguments: str, wrapped: object) -> None:
    messages = wrap_inputs(history(arguments), CUSTOM)
    assert orjson.loads(messages[0]["tool_calls"][0]["function"]["arguments"]) == wrapped


def test_other_calls_and_other_messages_stay_as_they_are() -> None:
    messages: tuple[Json, ...] = ({"role": "user", "content": "hi"}, *history("text", "Other"))
    assert wrap_inputs(messages, CUSTOM) == messages
