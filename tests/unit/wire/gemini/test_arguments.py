"""Arguments that come in pieces."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.wire.gemini.arguments import MAX_INDEX, PartialArguments


def joined(*pieces: Any) -> Any:
    arguments = PartialArguments()
    for piece in pieces:
        arguments.add(piece)
    return arguments.value


def test_pieces_of_one_string_are_joined() -> None:
    assert joined(
        {"jsonPath": "$.city", "stringValue": "San ", "willContinue": True},
        {"jsonPath": "$.city", "stringValue": "Juan"},
        {"jsonPath": "$.city", "stringValue": ""},
    ) == {"city": "San Juan"}


def test_paths_build_objects_and_lists() -> None:
    assert joined(
        {"jsonPath": "$.items[0].name", "stringValue": "a"},
        {"jsonPath": "$.items[1].count", "numberValue": 2.5},
        {"jsonPath": '$[\'odd.key\']["b\\"c"]', "boolValue": False},
        {"jsonPath": "$.none", "nullValue": "NULL_VALUE"},
    ) == {"items": [{"name": "a"}, {"count": 2.5}], "odd.key": {'b"c': False}, "none": None}


def test_known_arguments_are_kept_and_not_changed() -> None:
    known = {"a": 1}
    arguments = PartialArguments(known)
    arguments.add({"jsonPath": "$.b", "numberValue": 2})
    assert arguments.value == {"a": 1, "b": 2}
    assert known == {"a": 1}


@pytest.mark.parametrize(
    "piece",
    [
        None,
        {},
        {"jsonPath": 7},
        {"jsonPath": "a.b"},
        {"jsonPath": "$"},
        {"jsonPath": "$[0]"},
        {"jsonPath": "$..a"},
    ],
)
def test_a_piece_without_a_path_is_left_out(piece: Any) -> None:
    assert joined(piece) == {}


def test_no_piece_makes_a_giant_list() -> None:
    value = joined({"jsonPath": f"$.a[{MAX_INDEX + 1}]", "numberValue": 1}, {"jsonPath": "$.b[999999999][1]"})
    assert len(orjson.dumps(value)) < 50


steps = st.sampled_from([".a", ".b", "[0]", "[1]", "['x']", "[3].a"])
pieces = st.fixed_dictionaries(
    {"jsonPath": st.lists(steps, max_size=4).map(lambda found: "$" + "".join(found)) | st.text(max_size=9)},
    optional={"stringValue": st.text(max_size=3), "numberValue": st.integers(), "boolValue": st.booleans()},
)


@given(st.lists(pieces, max_size=8))
def test_any_pieces_give_a_json_object(found: list[Any]) -> None:
    assert isinstance(joined(*found), dict)
