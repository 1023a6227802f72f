"""OpenAI's messages become turns that Gemini accepts."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest
from fastproxy.wire.gemini.model import read_model
from fastproxy.wire.gemini.tools import ToolNames
from fastproxy.wire.gemini.turns import BYPASS, NO_SIGNATURES, SIGNATURE, conversation

Message = dict[str, Any]


def turns(
    *messages: Message,
    model: str = "gemini-2.5-flash",
    repairs: tuple[str, ...] = (),
    recalled: dict[tuple[str, str], Any] | None = None,
) -> list[Any]:
    return both(*messages, model=model, repairs=repairs, recalled=recalled)[1]


def both(*messages: Message, model: str = "gemini-2.5-flash", **more: Any) -> tuple[list[str], list[Any]]:
    more["recalled"] = more.get("recalled") or {}
    return conversation(ChatRequest("m", messages, **more), read_model(model), ToolNames(()))


def user(text: Any) -> Message:
    return {"role": "user", "content": text}


def calls(*ids: str, text: str | None = None, **extra: Any) -> Message:
    made = [
        {"id": id_, "type": "function", "function": {"name": f"f_{id_}", "arguments": '{"x": 1}'}, **extra}
        for id_ in ids
    ]
    return {"role": "assistant", "content": text, "tool_calls": made}


def result(id_: str, content: Any) -> Message:
    return {"role": "tool", "tool_call_id": id_, "content": content}


def says(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text} for text in texts]}


def responses(*pairs: tuple[str, Any]) -> dict[str, Any]:
    parts = [{"functionResponse": {"name": name, "response": response}} for name, response in pairs]
    return {"role": "user", "parts": parts}


def test_system_and_developer_texts_are_kept_in_order_wherever_they_stand() -> None:
    system, contents = both(
        {"role": "system", "content": "A"},
        user("Hi"),
        {"role": "developer", "content": [{"type": "text", "text": "B"}]},
    )
    assert system == ["A", "B"]
    assert contents == [says("user", "Hi")]


def test_a_conversation_of_system_texts_alone_is_said_by_the_user() -> None:
    assert both({"role": "system", "content": "A"}) == ([], [says("user", "A")])


def test_neighbours_of_one_role_are_one_turn() -> None:
    assert turns(user("a"), user("b")) == [says("user", "a", "b")]


def test_a_silent_user_says_a_space() -> None:
    assert turns(user("")) == [says("user", " ")]
    assert turns(user(""), user("x")) == [says("user", "x")]


def test_a_leading_answer_follows_a_silent_user_and_a_trailing_one_is_continued() -> None:
    assert turns({"role": "assistant", "content": "Hello"}) == [
        says("user", " "),
        says("model", "Hello"),
        says("user", "Continue."),
    ]


def test_results_are_joined_in_the_order_of_the_calls() -> None:
    assert turns(user("?"), calls("a", "b"), result("b", "2"), result("a", '{"n": 1}'))[2] == responses(
        ("f_a", {"n": 1}), ("f_b", {"output": "2"})
    )


def test_a_missing_result_is_a_stub_and_an_orphan_is_dropped() -> None:
    assert turns(user("?"), result("z", "orphan"), calls("a", "b"), result("b", ""), user("go on")) == [
        says("user", "?"),
        {
            "role": "model",
            "parts": [{"functionCall": {"name": f"f_{id_}", "args": {"x": 1}}} for id_ in ("a", "b")],
        },
        responses(("f_a", {"output": "(no output)"}), ("f_b", {"output": "(no output)"})),
        says("user", "go on"),
    ]


def test_parallel_calls_that_were_split_in_messages_get_their_results_each() -> None:
    contents = turns(user("?"), calls("a"), calls("b"), result("a", "1"), result("b", "2"))
    assert contents[2] == responses(("f_a", {"output": "1"}))
    assert contents[4] == responses(("f_b", {"output": "2"}))


def test_an_id_that_comes_again_belongs_to_the_latest_call() -> None:
    contents = turns(user("?"), calls("a"), result("a", "1"), calls("a"), result("a", "2"), result("a", "3"))
    assert contents[2] == responses(("f_a", {"output": "1"}))
    assert contents[4] == responses(("f_a", {"output": "2"}))


def test_an_image_in_a_result_follows_in_a_turn_of_the_user() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    contents = turns(
        user("?"), calls("a"), result("a", [{"type": "text", "text": "[1]"}, image]), user("Well?")
    )
    assert contents[2] == responses(("f_a", {"output": [1]}))
    assert contents[3]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
        {"text": "Well?"},
    ]


@pytest.mark.parametrize(
    ("arguments", "args"),
    [
        ("", {}),
        ("{}", {}),
        (None, {}),
        ('{"a": [1]}', {"a": [1]}),
        ("{oops", {"arguments": "{oops"}),
        ("[1]", {"arguments": "[1]"}),
    ],
)
def test_arguments_are_always_an_object(arguments: Any, args: dict[str, Any]) -> None:
    message = calls("a")
    message["tool_calls"][0]["function"]["arguments"] = arguments
    assert turns(user("?"), message)[1]["parts"][0]["functionCall"]["args"] == args


def test_calls_without_a_name_are_left_out_with_their_turn() -> None:
    nameless = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": ""}}, {"type": "custom"}],
    }
    assert turns(user("hi"), nameless, user("say ok")) == [says("user", "hi", "say ok")]


@pytest.mark.parametrize(
    "kept",
    [
        {"extra_content": {"google": {"thought_signature": "UzE="}}},
        {
            "function": {
                "name": "f",
                "arguments": "{}",
                "extra_content": {"google": {"thought_signature": "UzE="}},
            }
        },
        {"thought_signature": "UzE="},
        {"thoughtSignature": "UzE="},
    ],
)
def test_the_clients_own_signature_wins(kept: dict[str, Any]) -> None:
    message = calls("a", **kept)
    contents = turns(user("?"), message, model="gemini-3-pro", recalled={(SIGNATURE, "a"): "UzI="})
    assert contents[1]["parts"][0]["thoughtSignature"] == "UzE="


def test_a_remembered_signature_is_replayed() -> None:
    contents = turns(user("?"), calls("a", "b"), recalled={(SIGNATURE, "a"): "UzI="})
    first, second = contents[1]["parts"]
    assert first["thoughtSignature"] == "UzI="
    assert "thoughtSignature" not in second


def test_gemini_3_gets_the_bypass_on_the_first_unsigned_call_only() -> None:
    first, second = turns(user("?"), calls("a", "b"), model="gemini-3.5-flash")[1]["parts"]
    assert first["thoughtSignature"] == BYPASS
    assert "thoughtSignature" not in second
    assert "thoughtSignature" not in turns(user("?"), calls("a"))[1]["parts"][0]


def test_the_repair_replaces_every_signature() -> None:
    messages = user("?"), calls("a", "b", thought_signature="UzE=")
    new = turns(*messages, model="gemini-3-pro", repairs=(NO_SIGNATURES,))[1]["parts"]
    assert [part["thoughtSignature"] for part in new] == [BYPASS, BYPASS]
    old = turns(*messages, model="gemini-2.5-pro", repairs=(NO_SIGNATURES,))[1]["parts"]
    assert not any("thoughtSignature" in part for part in old)


def test_a_signature_that_is_no_base64_is_not_sent() -> None:
    part = turns(user("?"), calls("a", thought_signature="ö!"), model="gemini-3-pro")[1]["parts"][0]
    assert part["thoughtSignature"] == BYPASS


def test_calls_that_are_no_list_are_a_fault() -> None:
    with pytest.raises(ProxyError, match=r"messages\[0\].tool_calls"):
        turns({"role": "assistant", "tool_calls": {"id": "a"}})


@pytest.mark.parametrize("message", [{"role": "robot", "content": "x"}, {"content": "x"}, 7])
def test_a_message_of_no_known_role_is_a_fault_that_names_it(message: Any) -> None:
    with pytest.raises(ProxyError, match=r"messages\[1\]"):
        turns(user("x"), message)


texts_ = st.sampled_from(["", " ", "text", "{}", "[1]", '{"a": 1}'])
ids = st.sampled_from(["a", "b", "c", ""])
contents_ = st.none() | texts_ | st.lists(texts_.map(lambda text: {"type": "text", "text": text}), max_size=2)
messages_ = st.one_of(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["system", "developer", "user", "assistant"]),
        contents_,
    ),
    st.builds(lambda called, text: calls(*called, text=text), st.lists(ids, max_size=3), st.none() | texts_),
    st.builds(result, ids, contents_),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(messages_, max_size=12), st.sampled_from(["gemini-2.5-pro", "gemini-3-pro"]))
def test_any_history_keeps_the_rules_of_turns(messages: list[Message], model: str) -> None:
    before = copy.deepcopy(messages)
    _system, contents = both(*messages, model=model)
    assert messages == before
    assert contents[0]["role"] == contents[-1]["role"] == "user"
    previous: dict[str, Any] | None = None
    for content in contents:
        parts = content["parts"]
        assert parts
        assert all(part.get("text") != "" for part in parts)
        called = [
            part["functionCall"]["name"]
            for part in (previous or {}).get("parts", ())
            if "functionCall" in part
        ]
        answered = [part["functionResponse"]["name"] for part in parts if "functionResponse" in part]
        assert answered == called
        assert not answered or len(answered) == len(parts)
        if previous and previous["role"] == content["role"]:
            assert content["role"] == "user"
            assert "functionResponse" in previous["parts"][0]
        if model == "gemini-3-pro" and any("functionCall" in part for part in parts):
            assert next(part for part in parts if "functionCall" in part)["thoughtSignature"]
        previous = content
