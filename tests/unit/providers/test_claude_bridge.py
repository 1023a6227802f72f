"""What the bridge's /health means: whether it can answer, and whose credential it uses."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.providers.claude_bridge import bridge_state, bridge_trouble

HEALTHY: dict[str, Any] = {
    "status": "ok",
    "cli": {"found": True, "version": "9.9.9"},
    "auth": {"mode": "key", "credentials": True},
    "self_test": {"mode": "body", "body": True},
    "pool": {"busy": 0, "idle": 2, "starting": 1, "queued": 3, "spawned": 9, "closing": False},
}


def body(**changed: Any) -> bytes:
    return orjson.dumps({**HEALTHY, **changed})


@pytest.mark.parametrize("status", ["ok", "degraded"])
@pytest.mark.parametrize("credentials", [True, "unknown"])
def test_a_bridge_that_can_answer_is_in_no_trouble(status: str, credentials: object) -> None:
    told = body(status=status, auth={"mode": "login", "credentials": credentials})
    assert bridge_trouble(200, told) is None
    pool = {"busy": 0, "idle": 2, "starting": 1, "queued": 3, "spawned": 9}
    assert bridge_state(told) == {"cli_version": "9.9.9", "mode": "body", "auth": "login", "pool": pool}


@pytest.mark.parametrize(
    ("told", "word"),
    [
        (body(status="starting", self_test=None), "testing"),
        (body(status="stopping"), "ending"),
        (body(status="unavailable", cli={"found": False, "version": None}), "npm install -g"),
        (body(auth={"mode": "login", "credentials": False}), "log in"),
        (b'{"status":"ok"}', "bridge_secret"),
        (b'{"status":"fine"}', "bridge_url"),
        (b"<html>", "bridge_url"),
        (b"[]", "bridge_url"),
    ],
)
def test_every_trouble_is_told_with_its_remedy(told: bytes, word: str) -> None:
    trouble = bridge_trouble(200, told)
    assert trouble is not None
    assert word in f"{trouble.what}: {trouble.remedy}"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(HEALTHY)), inner),
    max_leaves=9,
)


@given(st.binary(max_size=60) | json_values.map(orjson.dumps))
def test_whatever_it_says_there_is_a_judgement(told: bytes) -> None:
    bridge_trouble(200, told)
    state = bridge_state(told)
    assert set(state) == {"cli_version", "mode", "auth", "pool"}
    assert all(type(number) is int for number in state["pool"].values())
