"""Any order of OpenAI messages becomes turns that Anthropic accepts."""

from __future__ import annotations

import copy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.errors import ProxyError
from fastproxy.types import Json
from fastproxy.wire.anthropic.turns import Conversation, call_input, conversation


def talk(*messages: Json) -> Conversation:
    return conversation(messages, {}, lambda message: message.get("thinking_blocks") or [])


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def calls(*ids: str, **more: object) -> Json:
    made = [{"id": id_, "type": "function", "function": {"name": "f", "arguments": "{}"}} for id_ in ids]
    return {"role": "assistant", "content": None, "tool_calls": made, **more}


def result(id_: str, content: object = "r") -> Json:
    return {"role": "tool", "tool_call_id": id_, "content": content}


def shape(built: Conversation) -> list[tuple[str, list[str]]]:
    return [
        (
            message["role"],
            [block.get("text") or block.get("content") or block["id"] for block in message["content"]],
        )
        for message in built.messages
    ]


def test_equal_neighbours_are_merged() -> None:
    assert shape(talk(user("a"), user("b"), {"role": "assistant", "content": "c"}, user("d"))) == [
        ("user", ["a", "b"]),
        ("assistant", ["c"]),
        ("user", ["d"]),
    ]


def test_results_come_first_and_in_the_order_of_the_calls() -> None:
    built = talk(user("a"), calls("x", "y"), result("y", "Y"), user("b"), result("x", "X"))
    assert shape(built)[1:] == [("assistant", ["x", "y"]), ("user", ["X", "Y", "b"])]


def test_split_parallel_calls_become_one_turn() -> None:
    built = talk(user("a"), calls("x"), calls("y"), result("x", "X"), result("y", "Y"))
    assert shape(built)[1:] == [("assistant", ["x", "y"]), ("user", ["X", "Y"])]


def test_an_orphan_is_left_out_and_a_missing_result_is_stubbed() -> None:
    built = talk(result("z"), user("a"), calls("x"), result("z"), user("b"))
    assert shape(built) == [("user", ["a"]), ("assistant", ["x"]), ("user", ["(no output)", "b"])]


def test_an_id_used_again_in_a_later_turn_is_made_unique() -> None:
    built = talk(user("a"), calls("call:0"), result("call:0", "1"), calls("call:0"), result("call:0", "2"))
    uses = [block["id"] for message in built.messages for block in message["content"] if "input" in block]
    told = [
        block.get("tool_use_id")
        for message in built.messages
        for block in message["content"]
        if "content" in block
    ]
    assert uses == told == ["call_0", "call_0_2"]


def test_the_conversation_begins_and_ends_with_the_user() -> None:
    built = talk({"role": "assistant", "content": "hello"})
    assert shape(built) == [("user", ["Continue."]), ("assistant", ["hello"]), ("user", ["Continue."])]


def test_a_conversation_of_system_messages_only_is_asked_as_user() -> None:
    built = talk({"role": "system", "content": "Say hi."})
    assert shape(built) == [("user", ["Say hi."])]
    assert built.system == []


def test_a_blank_user_turn_is_dots_and_a_blank_assistant_turn_is_gone() -> None:
    assert shape(talk(user(" \n"))) == [("user", ["..."])]
    assert shape(talk(user("a"), {"role": "assistant", "content": ""}, user("b"))) == [("user", ["a", "b"])]


def test_nothing_to_answer_is_refused() -> None:
    with pytest.raises(ProxyError, match="nothing to answer"):
        talk()


def test_an_unknown_role_is_refused_by_its_place() -> None:
    with pytest.raises(ProxyError) as raised:
        talk(user("a"), {"role": "bot", "content": "b"})
    assert raised.value.param == "messages[1].role"


def test_a_refusal_is_what_the_assistant_said() -> None:
    built = talk(user("a"), {"role": "assistant", "content": None, "refusal": "no"}, user("b"))
    assert shape(built)[1] == ("assistant", ["no"])


def test_tool_results_keep_images_errors_and_cache_marks() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    mark = {"type": "ephemeral"}
    message = {**result("x", [{"type": "text", "text": "t"}, image]), "is_error": True, "cache_control": mark}
    block = talk(user("a"), calls("x"), message).messages[2]["content"][0]
    assert [part["type"] for part in block["content"]] == ["text", "image"]
    assert (block["is_error"], block["cache_control"]) == (True, mark)


def test_a_cache_mark_of_a_message_goes_to_its_last_block() -> None:
    built = talk({**user("a"), "cache_control": {"type": "ephemeral"}})
    assert built.messages[0]["content"] == [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        (None, {}),
        ("null", {}),
        ({"a": 1}, {"a": 1}),
        ("[1]", {"input": [1]}),
        ("*** Begin Patch", {"input": "*** Begin Patch"}),
    ],
)
def test_arguments_become_an_object(arguments: object, expected: Json) -> None:
    assert call_input(arguments) == expected


ids = st.sampled_from(["a", "b.1", "b:1", "", "é"])
texts = st.sampled_from(["", " ", "x", "🙂"])
thoughts = st.sampled_from([[], [{"type": "thinking", "thinking": "", "signature": "s"}]])
histories = st.lists(
    st.one_of(
        st.builds(user, texts),
        st.builds(result, ids, texts),
        st.builds(
            lambda made, text, own: calls(*made, content=text, thinking_blocks=own),
            st.lists(ids),
            texts,
            thoughts,
        ),
        st.builds(lambda text: {"role": "system", "content": text}, texts),
    ),
    max_size=14,
)


@given(histories)
def test_any_history_keeps_the_rules(history: list[Json]) -> None:
    before = copy.deepcopy(history)
    built = talk(*history, user("the end"))
    check_rules(built.messages)
    check_rules(Conversation(messages=built.messages).without_thoughts())
    assert history == before
    assert built == talk(*history, user("the end"))


def check_rules(messages: list[Json]) -> None:
    roles = [message["role"] for message in messages]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
    seen: set[str] = set()
    waiting: list[str] = []
    for message in messages:
        content = message["content"]
        assert content
        assert all(block["text"].strip() for block in content if block["type"] == "text")
        results = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
        assert results == waiting
        assert all(block["type"] == "tool_result" for block in content[: len(results)])
        waiting = [block["id"] for block in content if block["type"] == "tool_use"]
        assert all(re.fullmatch("[a-zA-Z0-9_-]+", id_) for id_ in waiting)
        assert not seen & set(waiting)
        assert len(set(waiting)) == len(waiting)
        seen |= set(waiting)
    assert not waiting
