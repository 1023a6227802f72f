"""Values whose type nobody vouches for."""

from __future__ import annotations

import pytest

from fastproxy.errors import ProxyError
from fastproxy.wire.anthropic.values import encode, number_of, object_of, text_of


def test_a_wrong_type_is_not_there() -> None:
    assert object_of([1]) == {}
    assert text_of(5) == ""


def test_numbers() -> None:
    assert number_of(0.5, "x") == 0.5
    with pytest.raises(ProxyError) as raised:
        number_of(True, "x")
    assert raised.value.param == "x"


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ProxyError):
        encode({"a": "\ud800"})
