"""The OpenAI Python SDK through the proxy to Gemini on Vertex AI: what is said and left out."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import openai
import pydantic
import pytest

from testkit.mock import MockUpstream
from testkit.proxy import FastproxyProcess
from testkit.vertex import PROJECT
from tests.integration.conftest import KEYS, sdk, vertex_proxy
from tests.integration.gemini import (
    COUNTS,
    MODELS,
    SIGNATURE,
    answer_with,
    call,
    events,
    reply,
    response,
    sent,
    signatures,
    text,
)
from tests.sdk import USER, WEATHER, ask, both_ways, calls, extension, kept, result

OLD, THINKING, NEW = MODELS
every_model = pytest.mark.parametrize("model", MODELS)


@every_model
@both_ways
def test_a_question_is_answered_under_the_name_that_was_asked_for(
    vertex: openai.OpenAI, mock: MockUpstream, model: str, stream: bool
) -> None:
    answer_with(mock, reply(text("Hello "), text("wörld 日本"), stream=stream))
    answer = ask(vertex, model, USER, stream=stream)
    assert answer.choices[0].message.content == "Hello wörld 日本"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == model
    [request] = sent(mock)
    method = "streamGenerateContent" if stream else "generateContent"
    place = f"/v1beta1/projects/{PROJECT}/locations/global/publishers/google/models/{model}"
    assert request.path == f"{place}:{method}"
    assert request.query == ({"alt": "sse"} if stream else {})
    assert request.header("authorization") == "Bearer mock-google-token"
    assert request.json()["contents"] == [{"role": "user", "parts": [{"text": "hello"}]}]


@both_ways
def test_usage_is_googles_with_cached_and_thought_tokens(
    vertex: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    answer_with(mock, reply(text("Hi"), stream=stream))
    usage = ask(vertex, THINKING, USER, stream=stream).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (20, 11, 31)
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 8
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == 5


def test_the_usage_chunk_comes_last_without_choices_and_only_when_asked_for(
    vertex: openai.OpenAI, mock: MockUpstream
) -> None:
    create: Any = vertex.chat.completions.create
    asked = list(create(model=NEW, messages=USER, stream=True, stream_options={"include_usage": True}))
    assert asked[-1].choices == []
    assert asked[-1].usage.total_tokens == 13
    assert all(chunk.usage is None for chunk in asked[:-1])
    plain = list(create(model=NEW, messages=USER, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in plain)


@every_model
@both_ways
def test_parallel_calls_and_their_results_in_whatever_order_they_come(
    vertex: openai.OpenAI, mock: MockUpstream, model: str, stream: bool
) -> None:
    rome = call("get_weather", {"city": "Rome"}, SIGNATURE)
    answer_with(mock, reply(text("Let me see."), rome, call("get_weather", {"city": "Oslo"}), stream=stream))
    answer = ask(vertex, model, USER, stream=stream, tools=[WEATHER], tool_choice="required")
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me see."
    first, second = calls(choice.message)
    assert [first.arguments, second.arguments] == [{"city": "Rome"}, {"city": "Oslo"}]
    [asked] = sent(mock)
    assert asked.json()["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
    [declared] = asked.json()["tools"][0]["functionDeclarations"]
    assert declared["parametersJsonSchema"] == WEATHER["function"]["parameters"]

    mock.reset()
    results = [result(second.id, '{"sky": "grey"}'), result(first.id, "sunny")]
    ask(vertex, model, [*USER, kept(choice.message), *results], stream=stream, tools=[WEATHER])
    [request] = sent(mock)
    assert signatures(request) == [SIGNATURE, None]
    _user, said, answered = request.json()["contents"]
    assert [part.get("functionCall", {}).get("args") for part in said["parts"]] == [
        None,
        {"city": "Rome"},
        {"city": "Oslo"},
    ]
    assert [part["functionResponse"]["response"] for part in answered["parts"]] == [
        {"output": "sunny"},
        {"sky": "grey"},
    ]


def test_arguments_that_come_in_pieces_arrive_whole(vertex: openai.OpenAI, mock: MockUpstream) -> None:
    begin: dict[str, Any] = {"functionCall": {"name": "get_weather", "willContinue": True}}
    pieces: list[dict[str, Any]] = [
        {"jsonPath": "$.city", "stringValue": "Ro", "willContinue": True},
        {"jsonPath": "$.city", "stringValue": "me"},
    ]
    middle = [{"functionCall": {"partialArgs": [piece], "willContinue": True}} for piece in pieces]
    parts = [begin, *middle, {"functionCall": {}}]
    answer_with(mock, events(*(response([part]) for part in parts), response([text("")], "STOP")))
    answer = ask(vertex, NEW, USER, stream=True, tools=[WEATHER])
    [made] = calls(answer.choices[0].message)
    assert made.arguments == {"city": "Rome"}


def test_images_go_inline_or_as_an_address_that_is_never_fetched(
    vertex: openai.OpenAI, mock: MockUpstream
) -> None:
    data = base64.b64encode(b"\x89PNG").decode()
    addresses = ["https://pictures.invalid/a.webp?x=1", "gs://bucket/b.jpg", f"{mock.url}/c.png"]
    images = [f"data:image/png;base64,{data}", *addresses]
    content = [
        {"type": "text", "text": "What is this?"},
        *({"type": "image_url", "image_url": {"url": url}} for url in images),
    ]
    ask(vertex, NEW, [{"role": "user", "content": content}], stream=False)
    [request] = sent(mock)
    assert not any(other.path == "/c.png" for other in mock.requests())
    assert request.json()["contents"][0]["parts"] == [
        {"text": "What is this?"},
        {"inlineData": {"mimeType": "image/png", "data": data}},
        {"fileData": {"mimeType": "image/webp", "fileUri": addresses[0]}},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": addresses[1]}},
        {"fileData": {"mimeType": "image/png", "fileUri": addresses[2]}},
    ]


class Step(pydantic.BaseModel):
    explanation: str
    parts: list[Step] = []


class Proof(pydantic.BaseModel):
    steps: list[Step]
    answer: int | None


@every_model
def test_a_pydantic_model_with_definitions_is_asked_for_and_parsed(
    vertex: openai.OpenAI, mock: MockUpstream, model: str
) -> None:
    proof = Proof(steps=[Step(explanation="count")], answer=17)
    answer_with(mock, reply(text(proof.model_dump_json()), stream=False))
    messages: Any = USER
    parsed = vertex.chat.completions.parse(model=model, messages=messages, response_format=Proof)
    assert parsed.choices[0].message.parsed == proof
    config = sent(mock)[0].json()["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    schema = config["responseJsonSchema"]
    assert schema["$defs"]["Step"]["properties"]["parts"]["items"] == {"$ref": "#/$defs/Step"}
    assert schema["required"] == ["steps", "answer"]


def test_json_object_is_asked_for_without_a_schema(vertex: openai.OpenAI, mock: MockUpstream) -> None:
    ask(vertex, NEW, USER, stream=False, response_format={"type": "json_object"})
    assert sent(mock)[0].json()["generationConfig"] == {"responseMimeType": "application/json"}


@both_ways
@pytest.mark.parametrize(
    ("model", "config"),
    [
        (THINKING, {"thinkingBudget": 1024, "includeThoughts": True}),
        (NEW, {"thinkingLevel": "LOW", "includeThoughts": True}),
    ],
)
def test_reasoning_is_asked_for_in_the_models_way_and_shown_apart_from_the_answer(
    vertex: openai.OpenAI, mock: MockUpstream, model: str, config: dict[str, object], stream: bool
) -> None:
    answer_with(mock, reply(text("Hm. ", thought=True), text("So.", thought=True), text("4"), stream=stream))
    message = ask(vertex, model, USER, stream=stream, reasoning_effort="low").choices[0].message
    assert message.content == "4"
    assert extension(message, "reasoning_content") == "Hm. So."
    assert sent(mock)[0].json()["generationConfig"]["thinkingConfig"] == config


@both_ways
@pytest.mark.parametrize("words", [{}, {"blockReasonMessage": "Not that."}], ids=["silent", "with words"])
def test_a_blocked_prompt_is_a_refusal_and_not_an_error(
    vertex: openai.OpenAI, mock: MockUpstream, stream: bool, words: dict[str, str]
) -> None:
    feedback = {"blockReason": "PROHIBITED_CONTENT", **words}
    document = {"promptFeedback": feedback, "usageMetadata": {"trafficType": "ON_DEMAND"}}
    answer_with(mock, events(document) if stream else {"json": document})
    choice = ask(vertex, THINKING, USER, stream=stream).choices[0]
    assert choice.finish_reason == "content_filter"
    assert words.get("blockReasonMessage", "PROHIBITED_CONTENT") in (choice.message.refusal or "")
    assert not choice.message.content


@both_ways
@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("NEW", "stop"),
    ],
)
def test_every_end_has_openais_word(
    vertex: openai.OpenAI, mock: MockUpstream, native: str, reason: str, stream: bool
) -> None:
    answer_with(mock, reply(text("some"), finish=native, stream=stream))
    assert ask(vertex, THINKING, USER, stream=stream).choices[0].finish_reason == reason


def test_every_parameter_has_googles_name(vertex: openai.OpenAI, mock: MockUpstream) -> None:
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "developer", "content": "In verse."},
        *USER,
    ]
    given = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "n": 2, "stop": "END", "max_completion_tokens": 99}
    extra = {"google": {"safety_settings": [{"category": "HARM", "threshold": "OFF"}]}, "top_k": 3}
    ask(vertex, OLD, messages, stream=False, **given, metadata={"Team": "A B"}, extra_body=extra)
    body = sent(mock)[0].json()
    assert body["systemInstruction"]["parts"] == [{"text": "Be short."}, {"text": "In verse."}]
    assert body["generationConfig"] == {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 3,
        "seed": 7,
        "candidateCount": 2,
        "stopSequences": ["END"],
        "maxOutputTokens": 99,
    }
    assert body["safetySettings"] == [{"category": "HARM", "threshold": "OFF"}]
    assert body["labels"] == {"team": "a_b"}


def test_what_has_no_equivalent_is_named_in_a_header(vertex: openai.OpenAI, mock: MockUpstream) -> None:
    create: Any = vertex.chat.completions.with_raw_response.create
    raw = create(model=OLD, messages=USER, reasoning_effort="low", logit_bias={"5": 1})
    assert raw.headers["x-fastproxy-warning"] == "not sent to the provider: logit_bias, reasoning_effort"
    assert raw.headers["x-fastproxy-provider"] == "vertex"
    assert raw.parse().choices[0].message.content
    assert "thinkingConfig" not in sent(mock)[0].json().get("generationConfig", {})


@pytest.fixture(scope="module")
def strict(mock_process: MockUpstream) -> Iterator[FastproxyProcess]:
    with vertex_proxy(mock_process.url, '[server]\non_unsupported = "reject"\n') as running:
        yield running


@both_ways
def test_what_has_no_equivalent_is_refused_where_the_settings_say_so(
    strict: FastproxyProcess, mock: MockUpstream, stream: bool
) -> None:
    with sdk(strict) as client, pytest.raises(openai.BadRequestError) as caught:
        ask(client, OLD, USER, stream=stream, reasoning_effort="low")
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "reasoning_effort")
    assert sent(mock) == []


def test_an_api_key_asks_in_express_mode_without_project_or_token(mock: MockUpstream) -> None:
    table = f'[providers.vertex]\napi_key = "express-key"\nbase_url = "{mock.url}"\n'
    with FastproxyProcess(KEYS + table) as proxy, sdk(proxy) as client:
        assert ask(client, NEW, USER, stream=True).choices[0].message.content
    [request] = mock.requests()
    assert request.path == f"/v1beta1/publishers/google/models/{NEW}:streamGenerateContent"
    assert request.header("x-goog-api-key") == "express-key"
    assert request.header("authorization") is None


def test_the_counts_of_a_stream_are_its_last_ones(vertex: openai.OpenAI, mock: MockUpstream) -> None:
    early = response([text("a")], usageMetadata={"trafficType": "ON_DEMAND"})
    rough = response([text("b")], usageMetadata={"promptTokenCount": 1, "totalTokenCount": 1})
    answer_with(mock, events(early, rough, response([text("")], "STOP")))
    usage = ask(vertex, NEW, USER, stream=True).usage
    assert usage is not None
    assert usage.total_tokens == COUNTS["totalTokenCount"]
