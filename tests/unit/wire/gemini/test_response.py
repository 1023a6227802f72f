"""Whole answers of Gemini."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, Repair, UpstreamError
from fastproxy.types import ChatRequest
from fastproxy.wire.events import Carry, Completion, Usage
from fastproxy.wire.gemini.response import parse_response
from fastproxy.wire.gemini.turns import NO_SIGNATURES

TOOLS = ({"type": "function", "function": {"name": "files/read"}},)
REQUEST = ChatRequest("m", (), tools=TOOLS)


def answer(*parts: dict[str, Any], finish: str = "STOP", **candidate: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": list(parts)}
    return {"candidates": [{"content": content, "finishReason": finish, **candidate}]}


def parsed(body: Any) -> Completion:
    return parse_response(REQUEST, orjson.dumps(body))


def test_text_thoughts_and_usage_have_their_places() -> None:
    counts = {
        "promptTokenCount": 5,
        "candidatesTokenCount": 2,
        "thoughtsTokenCount": 3,
        "totalTokenCount": 10,
    }
    body = {**answer({"text": "hm", "thought": True}, {"text": "Hi"}), "usageMetadata": counts}
    completion = parsed(body)
    choice = completion.choices[0]
    assert (choice.text, choice.reasoning, choice.finish_reason) == ("Hi", "hm", "stop")
    assert completion.usage == Usage(5, 5, 10, reasoning_tokens=3)


def test_calls_get_new_short_ids_the_clients_names_and_their_signatures() -> None:
    completion = parsed(
        answer(
            {"functionCall": {"name": "files_read", "args": {"path": "a"}}, "thoughtSignature": "UzE="},
            {"functionCall": {"name": "files_read", "args": None}},
            {"functionCall": {"name": "other", "id": "upstream-id-1"}},
            {"functionCall": {"name": "other", "id": "upstream-id-1", "args": {}}},
            {"functionCall": {"name": "other", "id": ""}},
        )
    )
    choice = completion.choices[0]
    first, second, third, fourth, fifth = choice.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert choice.text is None
    assert (first.name, first.arguments) == ("files/read", '{"path":"a"}')
    assert first.extra_content == {"google": {"thought_signature": "UzE="}}
    assert completion.carries == [Carry("gemini.signature", first.id, "UzE=")]
    assert second.extra_content is None
    assert [call.arguments for call in (second, third, fourth, fifth)] == ["{}"] * 4
    assert third.id == "upstream-id-1"
    ids = [call.id for call in choice.tool_calls]
    assert len(set(ids)) == 5
    assert all(re.fullmatch(r"call_[0-9a-f]{24}", id_) for id_ in (first.id, second.id, fourth.id, fifth.id))


def test_a_signature_on_an_empty_part_before_the_call_is_the_calls() -> None:
    completion = parsed(answer({"text": "", "thoughtSignature": "UzI="}, {"functionCall": {"name": "f"}}))
    assert completion.carries[0].value == "UzI="


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        *[
            (word, "content_filter")
            for word in (
                "SAFETY",
                "RECITATION",
                "BLOCKLIST",
                "PROHIBITED_CONTENT",
                "SPII",
                "MODEL_ARMOR",
                "NO_IMAGE",
            )
        ],
        *[
            (word, "content_filter")
            for word in ("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_OTHER", "IMAGE_RECITATION")
        ],
        ("OTHER", "stop"),
        ("LANGUAGE", "stop"),
        ("FINISH_REASON_UNSPECIFIED", "stop"),
        ("MALFORMED_FUNCTION_CALL", "stop"),
        ("A_NEW_WORD", "stop"),
    ],
)
def test_each_finish_reason_is_one_of_openais(native: str, reason: str) -> None:
    choice = parsed(answer({"text": "x"}, finish=native)).choices[0]
    assert (choice.finish_reason, choice.native_finish) == (reason, native)


@pytest.mark.parametrize(
    ("native", "reason"),
    [("STOP", "tool_calls"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("OTHER", "tool_calls")],
)
def test_a_call_changes_a_normal_end_only(native: str, reason: str) -> None:
    assert parsed(answer({"functionCall": {"name": "f"}}, finish=native)).choices[0].finish_reason == reason


@pytest.mark.parametrize("content", [{}, {"role": "model"}, {"parts": []}, None])
def test_a_candidate_without_content_is_still_a_choice(content: Any) -> None:
    candidate = (
        {"content": content, "finishReason": "MAX_TOKENS"}
        if content is not None
        else {"finishReason": "MAX_TOKENS"}
    )
    choice = parsed({"candidates": [candidate]}).choices[0]
    assert (choice.text, choice.finish_reason) == (None, "length")


def test_a_blocked_prompt_is_a_refusal_that_says_why() -> None:
    feedback = {"blockReason": "MODEL_ARMOR", "blockReasonMessage": "Jailbreak filters."}
    completion = parsed({"promptFeedback": feedback, "usageMetadata": {"trafficType": "ON_DEMAND"}})
    choice = completion.choices[0]
    assert (choice.finish_reason, choice.refusal, choice.text) == (
        "content_filter",
        "Jailbreak filters.",
        None,
    )
    assert completion.usage is None


def test_a_filtered_answer_says_why() -> None:
    body = {"candidates": [{"finishReason": "SAFETY", "finishMessage": "Hate speech."}]}
    assert parsed(body).choices[0].refusal == "Hate speech."


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE"])
def test_an_astray_model_that_said_nothing_is_a_fault_worth_a_retry(reason: str) -> None:
    with pytest.raises(UpstreamError, match=reason) as caught:
        parsed({"candidates": [{"content": {}, "finishReason": reason}]})
    assert caught.value.retryable
    assert caught.value.repair is None


def test_a_missing_signature_names_its_repair() -> None:
    with pytest.raises(UpstreamError) as caught:
        parsed({"candidates": [{"finishReason": "MISSING_THOUGHT_SIGNATURE", "finishMessage": "Why."}]})
    assert caught.value.repair == Repair(NO_SIGNATURES)
    assert "Why." in caught.value.message


def test_images_are_data_urls_and_drafts_are_left_out() -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    choice = parsed(
        answer({**image, "thought": True}, image, {"inlineData": {"mimeType": "audio/wav", "data": "A"}})
    ).choices[0]
    assert choice.images == ["data:image/png;base64,AA=="]


def test_code_that_the_model_ran_is_no_call() -> None:
    choice = parsed(
        answer(
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK"}},
        )
    ).choices[0]
    assert (choice.finish_reason, choice.tool_calls) == ("stop", [])


def test_several_candidates_are_several_choices() -> None:
    body = {
        "candidates": [
            {"content": {"parts": [{"text": "b"}]}, "finishReason": "STOP", "index": 1},
            {"content": {"parts": [{"text": "a"}]}, "finishReason": "MAX_TOKENS"},
        ]
    }
    assert [(choice.index, choice.text, choice.finish_reason) for choice in parsed(body).choices] == [
        (0, "a", "length"),
        (1, "b", "stop"),
    ]


def test_logprobs_and_citations_come_with_the_text() -> None:
    body = answer(
        {"text": "Hi"},
        logprobsResult={"chosenCandidates": [{"token": "Hi", "logProbability": -0.1}]},
        citationMetadata={"citations": [{"startIndex": 0, "endIndex": 2, "uri": "https://e.org"}]},
        groundingMetadata={},
    )
    choice = parsed(body).choices[0]
    assert [item["token"] for item in choice.logprobs] == ["Hi"]
    assert choice.annotations[0]["url_citation"]["url"] == "https://e.org"


def test_logprobs_without_text_of_their_own_stand_on_an_empty_piece() -> None:
    first = {"candidates": [{"logprobsResult": {"chosenCandidates": [{"token": "x"}]}}]}
    choice = parsed([answer({"text": "x"}), first]).choices[0]
    assert (choice.text, [item["token"] for item in choice.logprobs]) == ("x", ["x"])


def test_arguments_nested_past_all_bounds_are_a_bad_response() -> None:
    deep = b'{"a":' * 300 + b"1" + b"}" * 300
    body = b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":%s}}]}}]}' % deep
    with pytest.raises(UpstreamError, match="nested too deep"):
        parse_response(REQUEST, body)


def test_a_block_that_comes_with_a_half_answer_filters_it() -> None:
    body = {
        "candidates": [{"content": {"parts": [{"text": "a"}]}}],
        "promptFeedback": {"blockReason": "OTHER"},
    }
    choice = parsed(body).choices[0]
    assert (choice.finish_reason, choice.native_finish) == ("content_filter", "OTHER")


def test_a_list_of_chunks_is_one_answer() -> None:
    first = {"candidates": [{"content": {"parts": [{"text": "a"}]}}]}
    assert parsed([first, answer({"text": "b"})]).choices[0].text == "ab"


@pytest.mark.parametrize(
    "body", [b"<html>busy</html>", b"", b"{", b"[7]", b"null", b"{}", b"[]", b'{"candidates": []}']
)
def test_a_body_that_answers_nothing_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        parse_response(REQUEST, body)
    assert caught.value.kind is ErrorKind.BAD_RESPONSE


def test_an_error_in_a_200_is_raised_as_what_it_is() -> None:
    with pytest.raises(UpstreamError, match="Slow down") as caught:
        parsed([{"error": {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED"}}])
    assert caught.value.kind is ErrorKind.RATE_LIMITED


keys = st.sampled_from(
    [
        "candidates", "content", "parts", "text", "functionCall", "name", "args", "finishReason", "index",
        "error", "usageMetadata", "promptTokenCount", "promptFeedback", "blockReason", "partialArgs",
        "inlineData", "mimeType", "data", "logprobsResult", "chosenCandidates", "citationMetadata", "thought",
    ]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
)
shaped = st.builds(
    lambda part, more: {"candidates": [{"content": {"parts": [part]}, **more}]},
    st.dictionaries(keys, values, max_size=3),
    st.dictionaries(keys, values, max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(values | shaped)
def test_whatever_the_json_is_only_an_upstream_error_escapes(body: Any) -> None:
    try:
        completion = parsed(body)
    except UpstreamError:
        return
    assert completion.choices
    assert all(
        isinstance(orjson.loads(call.arguments), dict)
        for choice in completion.choices
        for call in choice.tool_calls
    )


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_whatever_the_bytes_are_only_an_upstream_error_escapes(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        parse_response(REQUEST, body)
