"""The OpenAI SDK's `responses` through the running proxy: any provider, and tool loops without a memory.

The second turn of a loop comes with another key: nothing that was remembered for the first one helps it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import orjson
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from testkit.mock import SSE_HEADERS, MockUpstream, sse
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY, OTHER_KEY, sdk, vertex_proxy
from tests.integration.gemini import MODELS as GEMINI
from tests.integration.gemini import SIGNATURE, answer_with, reply, sent, signatures, text
from tests.integration.gemini import call as gemini_call
from tests.integration.test_openai_sdk import CALLS, chunk

Json = dict[str, Any]

CONFIG = """
[server]
heartbeat_seconds = 0.2
[providers.deepseek]
api_key = "sk-upstream-secret"
base_url = "{url}"
[providers.local]
kind = "openai"
api_key = "sk-upstream-secret"
base_url = "{url}/v1"
prefix = "local-"
"""
WEATHER: Json = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
PATCH: Json = {"type": "custom", "name": "ApplyPatch"}
THINKS = "deepseek-reasoner"

both_ways = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
each_model = pytest.mark.parametrize("model", ["demo-chat", "deepseek-chat", "local-some", GEMINI[1]])


@pytest.fixture(scope="module")
def running(mock_process: MockUpstream) -> Iterator[FastproxyProcess]:
    with vertex_proxy(mock_process.url, CONFIG.format(url=mock_process.url)) as process:
        yield process


@pytest.fixture
def client(running: FastproxyProcess, mock: MockUpstream) -> Iterator[openai.OpenAI]:
    with sdk(running) as made:
        yield made


def ask(client: openai.OpenAI, model: str, given: Any, *, stream: bool, **more: Any) -> Response:
    """The whole response; that of a stream is put together, and checked, by the SDK."""
    if not stream:
        whole: Response = client.responses.create(model=model, input=given, **more)
        return whole
    with client.responses.stream(model=model, input=given, **more) as events:
        seen = [event.type for event in events]
        assert seen[:2] == ["response.created", "response.in_progress"]
        assert seen[-1] == "response.completed"
        return events.get_final_response()


def said(*, stream: bool, thoughts: str = "", **message: Any) -> Json:
    """The reply of an OpenAI-format upstream."""
    if thoughts:
        message["reasoning_content"] = thoughts
    finish = "tool_calls" if "tool_calls" in message else "stop"
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    if stream:
        chunks = [chunk({"role": "assistant", **message}), chunk({}, finish, usage=usage), "data: [DONE]\n\n"]
        return {"chunks": chunks, "headers": SSE_HEADERS}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, **message},
        "finish_reason": finish,
    }
    head = {"id": "up", "object": "chat.completion", "created": 1, "model": "up"}
    return {"json": {**head, "choices": [choice], "usage": usage}}


def program(mock: MockUpstream, *replies: Json) -> None:
    """Scripts the model's replies; nobody else's question takes one."""
    mock.script(*replies, path="/completions")


def asked(mock: MockUpstream) -> Json:
    """The body of the one request for a chat."""
    [request] = [request for request in mock.requests() if request.path.endswith("/completions")]
    return request.json()


def called(name: str, arguments: str, call_id: str = "call_a") -> list[Json]:
    function = {"name": name, "arguments": arguments}
    return [{"index": 0, "id": call_id, "type": "function", "function": function}]


def kept(response: Response) -> list[Json]:
    """The output as a client sends it back that keeps nothing of the thoughts but what is encrypted."""
    items = [item.model_dump(exclude_none=True, by_alias=True) for item in response.output]
    return [{**item, "summary": []} if item["type"] == "reasoning" else item for item in items]


def result(call_id: str, output: str, kind: str = "function_call") -> Json:
    return {"type": f"{kind}_output", "call_id": call_id, "output": output}


@each_model
@both_ways
def test_a_text_is_a_response(client: openai.OpenAI, model: str, *, stream: bool) -> None:
    response = ask(client, model, "hello", stream=stream, instructions="Be brief.")
    assert response.output_text
    assert (response.status, response.model, response.store) == ("completed", model, False)
    assert response.id.startswith("resp_")
    assert response.usage is not None
    assert response.usage.output_tokens > 0


@both_ways
def test_thoughts_of_a_tool_loop_come_back_without_a_memory(
    running: FastproxyProcess, client: openai.OpenAI, mock: MockUpstream, *, stream: bool
) -> None:
    program(
        mock, said(stream=stream, thoughts="Look first.", tool_calls=called("get_weather", '{"city":"Rome"}'))
    )
    first = ask(client, THINKS, "weather?", stream=stream, tools=[WEATHER])
    assert [item.type for item in first.output] == ["reasoning", "function_call"]
    history = [{"role": "user", "content": "weather?"}, *kept(first), result("call_a", "sunny")]
    mock.reset()
    program(mock, said(stream=stream, thoughts="So it is.", content="Sunny."))
    with sdk(running, OTHER_KEY) as other:
        second = ask(other, THINKS, history, stream=stream, tools=[WEATHER])
    assert second.output_text == "Sunny."
    messages = asked(mock)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert messages[1]["reasoning_content"] == "Look first."
    assert messages[1]["tool_calls"][0]["function"]["arguments"] == '{"city":"Rome"}'
    assert messages[2] == {"role": "tool", "tool_call_id": "call_a", "content": "sunny"}


@both_ways
def test_signatures_of_a_tool_loop_come_back_without_a_memory(
    running: FastproxyProcess, client: openai.OpenAI, mock: MockUpstream, *, stream: bool
) -> None:
    model = GEMINI[2]
    answer_with(mock, reply(gemini_call("get_weather", {"city": "Rome"}, SIGNATURE), stream=stream))
    first = ask(client, model, "weather?", stream=stream, tools=[WEATHER])
    [call] = [item for item in first.output if item.type == "function_call"]
    history = [{"role": "user", "content": "weather?"}, *kept(first), result(call.call_id, "sunny")]
    mock.reset()
    answer_with(mock, reply(text("Sunny."), stream=stream))
    with sdk(running, OTHER_KEY) as other:
        assert ask(other, model, history, stream=stream, tools=[WEATHER]).output_text == "Sunny."
    assert signatures(sent(mock)[0]) == [SIGNATURE]


@both_ways
def test_a_custom_tool_gets_its_text_and_its_history_goes_back_as_json(
    client: openai.OpenAI, mock: MockUpstream, *, stream: bool
) -> None:
    arguments = orjson.dumps({"input": "*** Begin Patch\n+x"}).decode()
    program(mock, said(stream=stream, tool_calls=called("ApplyPatch", arguments)))
    first = ask(client, "deepseek-chat", "patch it", stream=stream, tools=[PATCH])
    [call] = first.output
    assert (call.type, call.input) == ("custom_tool_call", "*** Begin Patch\n+x")  # type: ignore[union-attr]
    mock.reset()
    history = ["patch it", *kept(first), result("call_a", "Done", "custom_tool_call")]
    given = [{"role": "user", "content": history[0]}, *history[1:]]
    ask(client, "deepseek-chat", given, stream=stream, tools=[PATCH])
    function = asked(mock)["messages"][1]["tool_calls"][0]["function"]
    assert function["name"] == "ApplyPatch"
    assert orjson.loads(function["arguments"]) == {"input": "*** Begin Patch\n+x"}


def test_parallel_calls_are_items_of_their_own(client: openai.OpenAI, mock: MockUpstream) -> None:
    program(mock, {"chunks": list(CALLS), "headers": SSE_HEADERS})
    response = ask(client, "deepseek-chat", "weather?", stream=True, tools=[WEATHER])
    calls = [(item.call_id, item.arguments) for item in response.output if item.type == "function_call"]
    assert calls == [("call_a", '{"city":"Rome"}'), ("call_b", '{"city":"Oslo"}')]


class Weather(BaseModel):
    city: str
    degrees: int


def test_an_answer_fits_a_schema(client: openai.OpenAI, mock: MockUpstream) -> None:
    program(mock, said(stream=False, content='{"city":"Rome","degrees":21}'))
    response = client.responses.parse(model="local-some", input="weather?", text_format=Weather)
    assert response.output_parsed == Weather(city="Rome", degrees=21)
    wanted = asked(mock)["response_format"]
    assert wanted["type"] == "json_schema"
    assert set(wanted["json_schema"]["schema"]["properties"]) == {"city", "degrees"}


def test_the_effort_reaches_the_provider(client: openai.OpenAI, mock: MockUpstream) -> None:
    client.responses.create(model="local-some", input="hi", reasoning={"effort": "low"}, max_output_tokens=50)
    body = asked(mock)
    assert body["reasoning_effort"] == "low"
    assert body["max_completion_tokens"] == 50
    assert not {"input", "reasoning", "max_output_tokens", "instructions"} & set(body)


def test_a_refusal_before_the_first_content_is_a_status(client: openai.OpenAI, mock: MockUpstream) -> None:
    program(
        mock, {"status": 429, "headers": [["retry-after", "7"]], "json": {"error": {"message": "slow down"}}}
    )
    for stream in (False, True):
        with pytest.raises(openai.RateLimitError) as caught:
            ask(client, "deepseek-chat", "hi", stream=stream)
        assert caught.value.code == "rate_limit_exceeded"


def test_a_break_in_the_middle_is_told_as_failed(client: openai.OpenAI, mock: MockUpstream) -> None:
    events = list(client.responses.create(model="demo-error-midstream", input="hi", stream=True))
    assert events[-1].type == "response.failed"
    assert events[-1].response.error is not None
    assert [event.sequence_number for event in events] == list(range(len(events)))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
    ],
)
def test_what_only_a_store_could_do_is_refused(client: openai.OpenAI, fields: Json, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**{"model": "demo-chat", "input": "hi", **fields})
    assert caught.value.param == param


def test_nothing_is_stored(client: openai.OpenAI) -> None:
    for ask_for in (client.responses.retrieve, client.responses.delete):
        with pytest.raises(openai.NotFoundError) as caught:
            ask_for("resp_1")
        assert "not stored" in caught.value.message


def test_heartbeats_are_events_of_the_response(client: openai.OpenAI, mock: MockUpstream) -> None:
    late = [{"text": piece["text"], "gate": "late"} for piece in sse([chunk({"content": "Hi"})[6:].strip()])]
    rest = [chunk({}, "stop"), "data: [DONE]\n\n"]
    program(mock, {"chunks": [*late, *rest], "headers": SSE_HEADERS})
    seen = []
    for event in client.responses.create(model="deepseek-chat", input="hi", stream=True):
        seen.append(event)
        if len(seen) == 4:
            mock.release("late")
    assert [event.type for event in seen[:4]] == ["response.created", *["response.in_progress"] * 3]
    assert seen[-1].type == "response.completed"
    assert [event.type for event in seen].count("response.created") == 1
    assert [event.sequence_number for event in seen] == list(range(len(seen)))


@pytest.mark.parametrize("path", ["/v1/responses", "/responses", "/v1/v1/responses"])
def test_it_is_found_where_clients_look(running: FastproxyProcess, path: str) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    answer = httpx.post(running.url + path, json={"model": "demo-chat", "input": "hi"}, headers=headers)
    assert answer.json()["object"] == "response"


@pytest.mark.parametrize("model", ["deepseek-chat", "local-some"])
def test_a_responses_body_on_the_chat_endpoint_is_answered_as_chat(
    running: FastproxyProcess, mock: MockUpstream, model: str
) -> None:
    """As Cursor's agent asks where a model's name looks like OpenAI's."""
    arguments = orjson.dumps({"input": "*** Begin Patch\n+x"}).decode()
    pieces = [{"index": 0, "function": {"arguments": piece}} for piece in (arguments[:14], arguments[14:])]
    chunks = [
        chunk({"role": "assistant", "tool_calls": called("ApplyPatch", "")}),
        *(chunk({"tool_calls": [piece]}) for piece in pieces),
        chunk({}, "tool_calls", usage={"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}),
        "data: [DONE]\n\n",
    ]
    program(mock, {"chunks": chunks, "headers": SSE_HEADERS})
    body = {
        "model": model,
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "patch it"}]}],
        "tools": [WEATHER, PATCH],
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "stream": True,
        "stream_options": {"include_usage": True},
        "text": {"verbosity": "low"},
    }
    headers = {"authorization": f"Bearer {KEY}"}
    answer = httpx.post(f"{running.url}/v1/chat/completions", json=body, headers=headers)
    lines = [line for line in answer.text.split("\n") if line]
    assert lines[-1] == "data: [DONE]"
    parts = [orjson.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert {part["object"] for part in parts} == {"chat.completion.chunk"}
    assert parts[-1]["usage"]["total_tokens"] == 12
    calls = [
        call for part in parts for choice in part["choices"] for call in choice["delta"].get("tool_calls", ())
    ]
    assert calls[0]["type"] == "function"
    assert "".join(call["function"]["arguments"] for call in calls) == "*** Begin Patch\n+x"
    upstream = asked(mock)
    assert [tool["function"]["name"] for tool in upstream["tools"]] == ["get_weather", "ApplyPatch"]
    assert not {"input", "include", "text"} & set(upstream)


def test_codex_finds_its_list_of_models(running: FastproxyProcess) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    answer = httpx.get(f"{running.url}/v1/models?client_version=0.150.0", headers=headers)
    assert "demo-chat" in [model["slug"] for model in answer.json()["models"]]
