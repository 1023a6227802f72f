"""What reasoning items carry: all of it comes back, and nothing that others wrote there."""

from __future__ import annotations

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.wire.events import Carry
from fastproxy.wire.openai.carrier import MAX_BYTES, pack, unpack

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    NAMES | st.integers(-9, 9) | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
    max_leaves=5,
)


@given(st.lists(st.builds(Carry, NAMES, NAMES, VALUES), min_size=1))
def test_what_is_packed_comes_back(carries: list[Carry]) -> None:
    assert unpack(pack(carries)) == {(carry.kind, carry.key): carry.value for carry in carries}


def test_nothing_is_no_text() -> None:
    assert pack([]) is None


def test_too_much_is_not_carried() -> None:
    assert pack([Carry("k", "c", "x" * MAX_BYTES)]) is None
    assert unpack("fp1." + "A" * (2 * MAX_BYTES)) == {}


def test_what_no_json_can_hold_is_not_carried() -> None:
    assert pack([Carry("k", "c", "\ud83d")]) is None


def entry(value: object) -> str:
    return "fp1." + base64.b64encode(orjson.dumps(value)).decode()


@pytest.mark.parametrize(
    "text",
    [
        None,
        3,
        "",
        "gAAAAABforeign",
        "fp1.",
        "fp1.***",
        "fp1.AAAA",
        "fp2." + entry([])[4:],
        entry({}),
        entry([1, ["k"], [1, 2, 3], {}]),
    ],
)
def test_what_is_not_ours_is_passed_over(text: object) -> None:
    assert unpack(text) == {}


@given(st.text() | st.binary().map(lambda data: "fp1." + base64.b64encode(data).decode()))
def test_any_text_is_taken_without_a_fault(text: str) -> None:
    assert isinstance(unpack(text), dict)
