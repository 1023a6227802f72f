"""Messages: strings, bare base64, objects as arguments."""

from __future__ import annotations

from typing import Any

import pytest

from fastproxy.errors import ProxyError
from fastproxy.wire.ollama.content import build_messages


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def call(arguments: object, call_id: str = "call_1") -> dict[str, Any]:
    function = {"name": "read", "arguments": arguments}
    return {"role": "assistant", "tool_calls": [{"id": call_id, "type": "function", "function": function}]}


def test_developer_is_system_and_null_is_an_empty_text() -> None:
    assert build_messages([{"role": "developer", "content": None}]) == [{"role": "system", "content": ""}]


def test_parts_become_one_text_and_bare_base64() -> None:
    parts = [
        {"type": "text", "text": "a"},
        image("data:image/png;base64,AAAA"),
        {"type": "text", "text": "b"},
    ]
    sound = {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "wav"}}
    assert build_messages([{"role": "user", "content": [*parts, sound]}]) == [
        {"role": "user", "content": "a\nb", "images": ["AAAA", "BBBB"]}
    ]


@pytest.mark.parametrize(
    "url", ["https://x/y.png", "gs://x/y.png", "AAAA", "data:image/png,AAAA", "data:image/png;base64,"]
)
def test_an_image_is_never_fetched(url: str) -> None:
    with pytest.raises(ProxyError, match="data URLs only") as raised:
        build_messages([{"role": "user", "content": [image(url)]}])
    assert raised.value.param == "messages[0].content[0].image_url.url"


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ('{"path":"a"}', {"path": "a"}),
        ("", {}),
        (None, {}),
        ({"path": "a"}, {"path": "a"}),
        ('{"path":', {"input": '{"path":'}),
        ("[1]", {"input": "[1]"}),
    ],
)
def test_arguments_are_objects_whatever_a_model_once_wrote(arguments: object, sent: object) -> None:
    assert build_messages([call(arguments)])[0]["tool_calls"] == [
        {"id": "call_1", "function": {"name": "read", "arguments": sent}}
    ]


def test_a_call_without_an_id_is_sent_without_one() -> None:
    message = {"role": "assistant", "tool_calls": [{"function": {"name": "read"}}]}
    assert build_messages([message])[0]["tool_calls"] == [{"function": {"name": "read", "arguments": {}}}]


def test_a_tool_result_is_named_by_its_call() -> None:
    result = {"role": "tool", "tool_call_id": "call_1", "content": "ok"}
    assert build_messages([call("{}"), result])[1] == {
        "role": "tool",
        "content": "ok",
        "tool_name": "read",
        "tool_call_id": "call_1",
    }
    assert build_messages([{**result, "name": "old"}])[0]["tool_name"] == "old"
    assert "tool_name" not in build_messages([result])[0]


def test_thoughts_and_refusals_of_the_assistant_go_back() -> None:
    assert build_messages(
        [
            {"role": "assistant", "content": "a", "reasoning_content": "r"},
            {"role": "assistant", "content": None, "refusal": "no"},
        ]
    ) == [
        {"role": "assistant", "content": "a", "thinking": "r"},
        {"role": "assistant", "content": "no"},
    ]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "clown"}, "messages[0].role"),
        ({"role": 1}, "messages[0].role"),
        ({"role": "user", "content": 1}, "messages[0].content"),
        ({"role": "user", "content": [1]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"type": "text", "text": 1}]}, "messages[0].content[0].text"),
        ({"role": "assistant", "tool_calls": 1}, "messages[0].tool_calls"),
        ({"role": "assistant", "tool_calls": [1]}, "messages[0].tool_calls[0]"),
    ],
)
def test_a_wrong_message_names_its_field(message: dict[str, Any], param: str) -> None:
    with pytest.raises(ProxyError) as raised:
        build_messages([message])
    assert (raised.value.status, raised.value.param) == (400, param)
