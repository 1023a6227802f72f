"""A client's own body reaches Claude as it is, unless it says something that must not reach it."""

from __future__ import annotations

import orjson
import pytest

from fastproxy.wire.anthropic.message import SIGNATURE
from fastproxy.wire.anthropic.native_body import native_body

MODEL = "claude-sonnet-4-5"
PLAIN = b'{"model" : "claude-sonnet-4-5",  "messages":[{"role":"user","content":"Gru\\u00df"}], "new": 1.0}'
NESTED = (
    b'{"model":"claude-sonnet-4-5", "messages":[{"role":"user","content":"say \\"model\\" or \\"model"}],'
    b'"tools":[{"name":"Agent","input_schema":{"properties":{"model":{"type":"string"}}}}]}'
)


@pytest.mark.parametrize("body", [PLAIN, NESTED])
def test_a_body_passes_as_the_same_object(body: bytes) -> None:
    assert native_body(body, orjson.loads(body), MODEL) is body


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"claude-opus-4-5","model":"claude-sonnet-4-5"}',
        b'{"mode\\u006c":"claude-opus-4-5","model":"claude-sonnet-4-5"}',
        b'{"\\u006Dodel":"claude-opus-4-5","tools":{"model":1},"model":"claude-sonnet-4-5"}',
        b'{"a":{"model":1},"model":{"model":2},"model":"claude-sonnet-4-5"}',
    ],
)
def test_a_body_that_names_two_models_is_sent_with_the_one_that_was_decided_on(body: bytes) -> None:
    sent = native_body(body, orjson.loads(body), MODEL)
    assert orjson.loads(sent) == orjson.loads(body)
    assert b"opus" not in sent
    assert b"\\u006" not in sent.lower()


def test_another_name_is_replaced_and_a_missing_one_filled_in() -> None:
    assert orjson.loads(native_body(PLAIN, orjson.loads(PLAIN), "x")) == {**orjson.loads(PLAIN), "model": "x"}
    assert native_body(b"{}", {}, "x") == b'{"model":"x"}'


def test_thoughts_that_claude_did_not_sign_are_left_out() -> None:
    foreign = {"type": "thinking", "thinking": "hm", "signature": SIGNATURE}
    own = {"type": "thinking", "thinking": "so", "signature": "c2ln"}
    said = {"type": "text", "text": SIGNATURE}
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [foreign, own, said]},
        {"role": "assistant", "content": [foreign]},
        7,
    ]
    message = {"model": MODEL, "messages": turns}
    sent = orjson.loads(native_body(orjson.dumps(message), message, MODEL))
    assert sent["messages"] == [turns[0], {"role": "assistant", "content": [own, said]}, 7]
    assert message["messages"] is turns
    assert turns[1]["content"] == [foreign, own, said]  # type: ignore[index]
