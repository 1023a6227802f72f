"""LangChain's ChatOpenAI through the proxy: bound tools, streams, structured answers."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI

from testkit.mock import MockUpstream
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY
from tests.integration.gemini import SIGNATURE, answer_with, call, reply, sent, signatures, text
from tests.integration.test_openai_sdk import posts
from tests.sdk import WEATHER, both_ways

pytestmark = pytest.mark.slow
GEMINI = "gemini-3-pro-preview"


class Boss(pydantic.BaseModel):
    """Whom somebody works for."""

    name: str


class Person(pydantic.BaseModel):
    """Somebody."""

    name: str
    age: int | None
    boss: Boss


def chat(proxy: FastproxyProcess, model: str, **more: Any) -> ChatOpenAI:
    """LangChain's own way to name the server; it does not retry, so that every answer is seen."""
    options: dict[str, Any] = {"base_url": f"{proxy.url}/v1", "api_key": KEY, "max_retries": 0, "timeout": 20}
    return ChatOpenAI(model=model, **options, **more)


def ask(model: Any, messages: list[BaseMessage], *, stream: bool) -> AIMessage:
    """The whole answer; that of a stream is LangChain's sum of its chunks."""
    if not stream:
        answer: AIMessage = model.invoke(messages)
        return answer
    first, *rest = model.stream(messages)
    for chunk in rest:
        first += chunk
    whole: AIMessage = first
    return whole


@both_ways
def test_a_loop_of_two_turns_keeps_the_signature_that_langchain_drops(
    vertex_process: FastproxyProcess, mock: MockUpstream, stream: bool
) -> None:
    made = [call("get_weather", {"city": "Rome"}, SIGNATURE), call("get_weather", {"city": "Oslo"})]
    answer_with(mock, reply(*made, stream=stream), reply(text("Sunny."), stream=stream))
    model = chat(vertex_process, GEMINI, stream_usage=True).bind_tools([WEATHER])
    history: list[BaseMessage] = [HumanMessage("How is the weather?")]
    answer = ask(model, history, stream=stream)
    assert [made["args"] for made in answer.tool_calls] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] == 31
    results = [ToolMessage("sunny", tool_call_id=made["id"]) for made in answer.tool_calls]
    assert ask(model, [*history, answer, *results], stream=stream).content == "Sunny."
    _, second = sent(mock)
    assert signatures(second) == [SIGNATURE, None]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_a_structured_answer_is_parsed(
    vertex_process: FastproxyProcess, mock: MockUpstream, method: Any
) -> None:
    known = {"name": "Alan", "age": None, "boss": {"name": "Ada"}}
    said = text('{"name": "Alan", "age": null, "boss": {"name": "Ada"}}')
    answer_with(mock, reply(said if method == "json_schema" else call("Person", known), stream=False))
    model = chat(vertex_process, GEMINI).with_structured_output(Person, method=method)
    assert model.invoke("Alan has no age; Ada is his boss.") == Person(
        name="Alan", age=None, boss=Boss(name="Ada")
    )
    [request] = sent(mock)
    asked = "generationConfig" if method == "json_schema" else "toolConfig"
    assert asked in request.json()


def test_deepseek_streams_text_and_usage(proxy: FastproxyProcess, mock: MockUpstream) -> None:
    answer = ask(chat(proxy, "deepseek-chat", stream_usage=True), [HumanMessage("hello")], stream=True)
    assert answer.content == "Hello from the mock."
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] == 13
    [request] = posts(mock)
    assert request.json()["stream"] is True
