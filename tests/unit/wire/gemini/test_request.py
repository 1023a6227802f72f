"""Whole requests to Vertex AI, against golden pairs and Google's own types."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest, Deployment, ToolChoice
from fastproxy.wire.gemini.request import build_request

GOLDEN = Path(__file__).parents[3] / "golden" / "gemini" / "requests.json"
PAIRS = orjson.loads(GOLDEN.read_bytes())
TOP_LEVEL = {
    "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "labels",
    "cachedContent",
}  # fmt: skip


def deployment(model: str = "gemini-2.5-flash", **options: Any) -> Deployment:
    headers = (("x-goog-user-project", "billing"),)
    return Deployment("vertex", "vertex", model, "", headers, {"project": "p", **options})


def chat(fields: dict[str, Any]) -> ChatRequest:
    fields = copy.deepcopy(fields)
    choice = fields.pop("tool_choice", None)
    return ChatRequest(
        model="asked",
        messages=tuple(fields.pop("messages", ())),
        tools=tuple(fields.pop("tools", ())),
        tool_choice=ToolChoice(choice["mode"], tuple(choice.get("names", ()))) if choice else None,
        **fields,
    )


def body_of(request: ChatRequest, model: str = "gemini-2.5-flash", **options: Any) -> Any:
    return orjson.loads(build_request(request, deployment(model, **options)).body)


def check_with_googles_types(body: dict[str, Any]) -> None:
    """google-genai forbids unknown fields in each of these."""
    assert body.keys() <= TOP_LEVEL
    for content in [*body["contents"], *([body["systemInstruction"]] if "systemInstruction" in body else [])]:
        types.Content.model_validate(content)
    for tool in body.get("tools", ()):
        types.Tool.model_validate(tool)
    types.GenerationConfig.model_validate(body.get("generationConfig", {}))
    types.ToolConfig.model_validate(body.get("toolConfig", {}))
    for setting in body.get("safetySettings", ()):
        types.SafetySetting.model_validate(setting)


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["name"] for pair in PAIRS])
def test_a_request_of_the_golden_file_becomes_its_body(pair: dict[str, Any]) -> None:
    made = build_request(chat(pair["request"]), deployment(pair["model"], location="us-central1"))
    body = orjson.loads(made.body)
    assert body == pair["body"]
    assert made.url.rpartition("/models/")[2] == pair["url_end"]
    assert [item.param for item in made.dropped] == pair["dropped"]
    check_with_googles_types(body)


def test_building_twice_gives_equal_values_and_changes_nothing() -> None:
    for pair in PAIRS:
        request = chat(pair["request"])
        before = copy.deepcopy(request)
        assert build_request(request, deployment()) == build_request(request, deployment())
        assert request == before


def test_headers_are_the_deployments_and_the_content_type() -> None:
    made = build_request(ChatRequest("m", ({"role": "user", "content": "Hi"},)), deployment())
    assert made.headers == (("x-goog-user-project", "billing"), ("content-type", "application/json"))
    assert made.method == "POST"


@pytest.mark.parametrize(
    ("tier", "header", "dropped"),
    [
        ("flex", ["flex"], []),
        ("priority", ["priority"], []),
        ("auto", [], []),
        ("scale", [], ["service_tier"]),
    ],
)
def test_the_service_tier_is_a_header(tier: str, header: list[str], dropped: list[str]) -> None:
    request = ChatRequest("m", ({"role": "user", "content": "Hi"},), parameters={"service_tier": tier})
    made = build_request(request, deployment())
    found = [value for name, value in made.headers if name == "x-vertex-ai-llm-shared-request-type"]
    assert found == header
    assert [item.param for item in made.dropped] == dropped
    assert "serviceTier" not in orjson.loads(made.body)


@pytest.mark.parametrize(
    "extra",
    [
        {"cached_content": "c", "top_k": 3, "thinkingConfig": {"thinking_budget": 5}},
        {"google": {"cached_content": "c", "topK": 3, "thinking_config": {"thinkingBudget": 5}}},
        {
            "extra_body": {
                "google": {"cachedContent": "c", "top_k": 3, "thinking_config": {"thinking_budget": 5}}
            }
        },
    ],
)
def test_googles_own_fields_are_taken_wherever_they_stand(extra: dict[str, Any]) -> None:
    body = body_of(ChatRequest("m", ({"role": "user", "content": "Hi"},), extra={**extra, "foo": 1}))
    assert body["cachedContent"] == "c"
    assert body["generationConfig"] == {"topK": 3, "thinkingConfig": {"thinkingBudget": 5}}
    assert body.keys() <= TOP_LEVEL


def test_safety_settings_are_the_clients_or_the_deployments() -> None:
    ours = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]
    theirs = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE", "x": 1}]
    request = ChatRequest("m", ({"role": "user", "content": "Hi"},))
    assert body_of(request, safety_settings=ours)["safetySettings"] == ours
    request = ChatRequest("m", request.messages, extra={"safetySettings": theirs})
    assert body_of(request, safety_settings=ours)["safetySettings"] == [
        {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}
    ]


def test_metadata_and_labels_become_legal_labels() -> None:
    request = ChatRequest(
        "m",
        ({"role": "user", "content": "Hi"},),
        parameters={"metadata": {"User Id": "A/B", "9": "x", "team": "other"}},
        extra={"labels": {"team": "ai"}},
    )
    made = build_request(request, deployment())
    assert orjson.loads(made.body)["labels"] == {"team": "ai", "user_id": "a_b"}
    assert [item.param for item in made.dropped] == ["metadata.9"]


def test_a_json_answer_beside_tools_is_asked_for_after_the_system_text() -> None:
    tools = ({"type": "function", "function": {"name": "f"}},)
    messages = ({"role": "system", "content": "S"}, {"role": "user", "content": "Hi"})
    wanted = {"response_format": {"type": "json_object"}}
    first, second = body_of(ChatRequest("m", messages, tools=tools, parameters=wanted))["systemInstruction"][
        "parts"
    ]
    assert first == {"text": "S"}
    assert "JSON" in second["text"]


def test_search_excludes_functions_before_gemini_3() -> None:
    tools = ({"type": "function", "function": {"name": "f"}},)
    request = ChatRequest("m", (), tools=tools, parameters={"web_search_options": {}})
    made = build_request(request, deployment("gemini-2.5-pro"))
    assert [item.param for item in made.dropped] == ["web_search_options"]
    assert {"googleSearch": {}} in body_of(request, "gemini-3-pro")["tools"]
    alone = ChatRequest("m", (), parameters={"web_search_options": {}})
    assert body_of(alone)["tools"] == [{"googleSearch": {}}]


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"safety_settings": "OFF"}, "safety_settings"),
        ({"cached_content": 1}, "cached_content"),
        ({"labels": []}, "labels"),
        ({"top_k": "x"}, "top_k"),
        ({"thinking_config": 1}, "thinking_config"),
    ],
)
def test_an_extension_of_a_wrong_type_is_a_fault_that_names_it(extra: dict[str, Any], param: str) -> None:
    with pytest.raises(ProxyError) as caught:
        build_request(ChatRequest("m", (), extra=extra), deployment())
    assert caught.value.param == param


def test_a_value_that_no_json_can_hold_is_the_clients_fault() -> None:
    deep: Any = []
    for _level in range(300):
        deep = [deep]
    call = {
        "id": "a",
        "type": "function",
        "function": {"name": "f", "arguments": orjson.dumps({"a": 2**60}).decode()},
    }
    build_request(ChatRequest("m", ({"role": "assistant", "tool_calls": [call]},)), deployment())
    call["function"] = {"name": "f", "arguments": {"a": deep}}
    with pytest.raises(ProxyError, match="cannot be written as JSON"):
        build_request(ChatRequest("m", ({"role": "assistant", "tool_calls": [call]},)), deployment())


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "function", "name", "url", "id"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
parameter_names = st.sampled_from(
    ["temperature", "n", "stop", "seed", "logprobs", "top_logprobs", "max_tokens", "response_format",
     "metadata", "reasoning_effort", "service_tier", "modalities", "web_search_options", "user", "top_p"]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(values, max_size=3),
    st.lists(values, max_size=2),
    st.dictionaries(parameter_names, values, max_size=3),
    st.dictionaries(
        st.sampled_from(["google", "labels", "top_k", "safety_settings", "extra_body"]), values, max_size=2
    ),
)
def test_whatever_the_clients_json_is_only_a_proxy_error_escapes(
    messages: list[Any], tools: list[Any], parameters: dict[str, Any], extra: dict[str, Any]
) -> None:
    request = ChatRequest("m", tuple(messages), tools=tuple(tools), parameters=parameters, extra=extra)
    try:
        made = build_request(request, deployment())
    except ProxyError as error:
        assert error.status == 400
    else:
        check_with_googles_types(orjson.loads(made.body))
