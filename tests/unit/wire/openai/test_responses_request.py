"""`parse_responses`: a Responses body is the same request as the chat body it would be."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import ChatRequest, Json, ToolChoice
from fastproxy.wire.events import Carry
from fastproxy.wire.openai.carrier import pack
from fastproxy.wire.openai.chat_request import parse_chat
from fastproxy.wire.openai.history import NO_OUTPUT
from fastproxy.wire.openai.responses_request import parse_responses

CLIENTS = Path(__file__).parents[3] / "golden" / "clients"
CUSTOM = {"type": "custom", "name": "ApplyPatch"}
IMAGE = "data:image/png;base64,AAAA"


def client(name: str) -> Json:
    body: Json = orjson.loads((CLIENTS / f"{name}.json").read_bytes())
    return body


def asked(*items: Any, **fields: Any) -> ChatRequest:
    body = {"model": "m", "input": list(items), **fields}
    before = copy.deepcopy(body)
    request = parse_responses(body)
    assert body == before
    return request


def fault(body: Any) -> ProxyError:
    with pytest.raises(ProxyError) as caught:
        parse_responses(body)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return caught.value


def call(call_id: str, arguments: str = "{}", name: str = "rg") -> Json:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def called(call_id: str, arguments: str = "{}", name: str = "rg") -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def output(call_id: str, said: Any = "done") -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": said}


def result(call_id: str, content: str = "done") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def user(text: str = "hi") -> Json:
    return {"role": "user", "content": text}


def test_a_text_is_one_message_behind_the_instructions() -> None:
    request = parse_responses({"model": "m", "input": "hello", "instructions": "Be brief."})
    assert request.messages == ({"role": "system", "content": "Be brief."}, user("hello"))
    assert (request.model, request.stream, request.include_usage) == ("m", False, False)


def test_the_first_turn_of_codex() -> None:
    request = parse_responses(client("codex_responses_first_turn"))
    assert [message["role"] for message in request.messages] == ["system", "developer", "user", "user"]
    assert [tool["function"]["name"] for tool in request.tools] == ["shell_command", "apply_patch"]
    assert request.custom_tools == {"apply_patch"}
    assert request.tool_choice == ToolChoice("auto")
    assert request.extra == {}
    assert request.parameters == {
        "reasoning_effort": "medium",
        "parallel_tool_calls": True,
        "prompt_cache_key": "019a0000-0000-7000-8000-000000000000",
    }


def test_a_later_turn_of_codex_keeps_its_tool_loop() -> None:
    request = parse_responses(client("codex_responses_later_turn"))
    patch = '{"input":"*** Begin Patch\\n*** End Patch"}'
    assert request.messages[3:] == (
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "I should look.",
            "tool_calls": [
                called("call_1", '{"command":"ls"}', "shell_command"),
                called("call_2", patch, "apply_patch"),
            ],
        },
        result("call_1", "a.py"),
        result("call_2", "Done"),
        {"role": "assistant", "content": "There is a.py."},
        {"role": "user", "content": [{"type": "text", "text": "thanks"}]},
    )
    assert request.recalled == {("deepseek.reasoning", "call_1"): "I should look."}


def test_a_later_turn_of_cursor_keeps_its_tool_loop() -> None:
    request = parse_chat(client("cursor_responses_later_turn"))
    patch = '{"input":"*** Begin Patch\\n*** Update File: README.md\\n+x\\n*** End Patch"}'
    assert request.messages[2:] == (
        {"role": "assistant", "content": None, "tool_calls": [called("call_r1", '{"pattern":"TODO"}')]},
        result("call_r1", "README.md:1"),
        {"role": "assistant", "content": "Patching.", "tool_calls": [called("call_p1", patch, "ApplyPatch")]},
        result("call_p1", "Done"),
        user("now commit"),
    )
    assert request.recalled == {}


def test_bare_text_that_chat_gave_a_client_becomes_json_again() -> None:
    request = asked(user(), call("c", "*** Begin Patch", "ApplyPatch"), output("c"), tools=[CUSTOM])
    assert request.messages[1]["tool_calls"] == [called("c", '{"input":"*** Begin Patch"}', "ApplyPatch")]


def test_parts_of_a_message_become_chats() -> None:
    parts = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": IMAGE, "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
    ]
    request = asked({"type": "message", "role": "user", "content": parts})
    assert request.messages[0]["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
    ]


def test_an_image_that_a_tool_gave_follows_its_turn() -> None:
    parts = [{"type": "input_text", "text": "here"}, {"type": "input_image", "image_url": IMAGE}]
    request = asked(user(), call("c"), output("c", parts))
    assert request.messages[2:] == (
        result("c", "here"),
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": IMAGE}}]},
    )


def test_all_that_the_model_said_between_two_others_is_one_turn() -> None:
    request = asked(
        user(),
        {"role": "assistant", "content": [{"type": "output_text", "text": "A", "annotations": []}]},
        {"role": "assistant", "content": "B"},
        call("c1"),
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"},
        call("c2"),
        output("c2"),
        output("c1"),
    )
    assert request.messages[1:] == (
        {"role": "assistant", "content": "AB", "tool_calls": [called("c1"), called("c2")]},
        result("c2"),
        result("c1"),
    )


def test_calls_and_answers_that_miss_each_other_are_mended() -> None:
    request = asked(user(), output("lost"), call("c1"), user("go on"), output("c1", "late"), call("c2"))
    assert request.messages == (
        user(),
        {"role": "assistant", "content": None, "tool_calls": [called("c1")]},
        result("c1", "late"),
        user("go on"),
        {"role": "assistant", "content": None, "tool_calls": [called("c2")]},
        result("c2", NO_OUTPUT),
    )


def test_a_refusal_stays_one() -> None:
    request = asked(user(), {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]})
    assert request.messages[1]["content"] == [{"type": "refusal", "refusal": "No."}]


def test_what_a_provider_wants_back_comes_from_our_reasoning_items_only() -> None:
    carried = pack([Carry("gemini.signature", "c1", "sig")])
    request = asked(
        user(),
        {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": carried},
        call("c1"),
        output("c1"),
        {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "gAAAA"},
    )
    assert request.recalled == {("gemini.signature", "c1"): "sig"}
    assert len(request.messages) == 3


def test_settings_have_chats_names() -> None:
    schema = {"type": "object", "properties": {}}
    request = asked(
        user(),
        max_output_tokens=9,
        temperature=0.5,
        reasoning={"effort": "low", "summary": "auto"},
        text={
            "format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True},
            "verbosity": "low",
        },
        include=["message.output_text.logprobs"],
        top_logprobs=2,
        truncation="auto",
        store=True,
        max_tool_calls=3,
        background=False,
        previous_response_id=None,
        metadata={"a": "b"},
        stream=True,
        stream_options={"include_obfuscation": False},
        my_field=1,
    )
    assert request.stream
    assert request.parameters == {
        "max_completion_tokens": 9,
        "temperature": 0.5,
        "reasoning_effort": "low",
        "verbosity": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": schema, "strict": True},
        },
        "logprobs": True,
        "top_logprobs": 2,
        "metadata": {"a": "b"},
    }
    assert request.extra == {"my_field": 1}


@pytest.mark.parametrize("kind", ["text", "json_object"])
def test_simple_formats_keep_their_names(kind: str) -> None:
    assert asked(user(), text={"format": {"type": kind}}).parameters["response_format"] == {"type": kind}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"background": True}, "background"),
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": {"a": 1}}, "input"),
        ({"input": ["hi"]}, "input[0]"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"id": "msg_1"}]}, "input[0]"),
        ({"input": [{"type": "nonsense"}]}, "input[0].type"),
        ({"input": [{"type": 3}]}, "input[0].type"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [user(), {"role": "user", "content": 3}]}, "input[1].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
        ({"input": [{"type": "function_call", "name": "x", "arguments": "{}"}]}, "input[0].call_id"),
        ({"input": [call("c", name="")]}, "input[0].name"),
        ({"input": [{"type": "custom_tool_call", "call_id": "c", "name": "x"}]}, "input[0].input"),
        ({"input": [output("c", {"a": 1})]}, "input[0].output"),
        ({"instructions": 3}, "instructions"),
        ({"reasoning": "high"}, "reasoning"),
        ({"reasoning": {"effort": 3}}, "reasoning.effort"),
        ({"text": {"format": "json"}}, "text.format"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"include": "all"}, "include"),
        ({"max_output_tokens": "9"}, "max_output_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
    ],
)
def test_a_wrong_field_is_named(fields: Json, param: str) -> None:
    error = fault({"model": "m", "input": "hi", **fields})
    assert error.param == param
    assert f"`{param}`" in error.message


def test_a_body_that_is_no_object_is_refused() -> None:
    assert fault([1]).param == "body"


@pytest.mark.parametrize(
    "kind", ["web_search_call", "mcp_list_tools", "local_shell_call_output", "compaction_item"]
)
def test_items_of_tools_that_ran_elsewhere_are_left_out(kind: str) -> None:
    assert asked(user(), {"type": kind, "id": "x"}).messages == (user(),)


def test_a_body_with_both_forms_is_chat_with_the_answers_that_only_input_has() -> None:
    calls = [called("c1"), called("c2")]
    body = {
        "model": "m",
        "messages": [
            user(),
            {"role": "assistant", "content": None, "tool_calls": calls},
            result("c1", "mine"),
            user("next"),
        ],
        "input": [user("ignored"), output("c1", "other"), output("c2", "found"), output("c3", "lost")],
    }
    assert parse_chat(body).messages[2:] == (result("c1", "mine"), result("c2", "found"), user("next"))


def test_an_empty_list_of_messages_beside_input_is_the_responses_form() -> None:
    assert parse_chat({"model": "m", "messages": [], "input": "hi"}).messages == (user(),)


def test_chat_history_may_stand_in_input() -> None:
    request = asked(user(), {"role": "assistant", "content": None, "tool_calls": [called("c")]}, result("c"))
    assert request.messages[1:] == (
        {"role": "assistant", "content": None, "tool_calls": [called("c")]},
        result("c"),
    )


WORDS = st.sampled_from(
    [
        "input",
        "messages",
        "type",
        "role",
        "content",
        "text",
        "message",
        "user",
        "assistant",
        "tool",
        "reasoning",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "call_id",
        "name",
        "output",
        "arguments",
        "summary",
        "encrypted_content",
        "tools",
        "custom",
        "format",
        "instructions",
        "json_schema",
        "schema",
        "tool_calls",
        "x",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)
ITEM = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["message", "reasoning", "function_call", "function_call_output", "custom_tool_call"]
        )
    },
    optional={
        "role": st.sampled_from(["user", "assistant", "tool", "system"]),
        "content": JSON | st.just("x"),
        "call_id": st.sampled_from(["a", "b"]),
        "name": st.sampled_from(["rg", "ApplyPatch"]),
        "arguments": WORDS,
        "input": WORDS,
        "output": WORDS,
        "summary": JSON,
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    JSON
    | st.fixed_dictionaries(
        {"input": JSON | st.lists(ITEM, max_size=6)}, optional={"tools": st.just([CUSTOM])}
    )
)
def test_any_json_is_a_request_or_a_400(body: Any) -> None:
    before = copy.deepcopy(body)
    for parse in (parse_responses, parse_chat):
        try:
            request = parse(body)
        except ProxyError as error:
            assert error.status == 400
            continue
        waiting: set[str] = set()
        for message in request.messages:
            if message["role"] == "tool":
                waiting.discard(message["tool_call_id"])
            else:
                assert not waiting
            waiting |= {call["id"] for call in message.get("tool_calls", ())}
        assert not waiting
    assert body == before
