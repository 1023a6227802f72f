"""The OpenAI SDK as the tests use it: one way to ask, whether the answer is streamed or not."""

from __future__ import annotations

from typing import Any, NamedTuple

import openai
import orjson
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionMessage

Json = dict[str, Any]

USER: list[Json] = [{"role": "user", "content": "hello"}]
WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

both_ways = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])


def ask(
    client: openai.OpenAI, model: str, messages: list[Json], *, stream: bool, **more: Any
) -> ChatCompletion:
    """The whole answer; that of a stream is put together by the SDK, with the usage chunk."""
    create: Any = client.chat.completions.create
    if not stream:
        answer: ChatCompletion = create(model=model, messages=messages, **more)
        return answer
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    options = {"include_usage": True}
    for chunk in create(model=model, messages=messages, stream=True, stream_options=options, **more):
        state.handle_chunk(chunk)
    return state.current_completion_snapshot


class Call(NamedTuple):
    """A tool call of an answer."""

    id: str
    name: str
    arguments: Json


def calls(message: ChatCompletionMessage) -> list[Call]:
    """The tool calls of an answer, with their arguments decoded."""
    return [
        Call(call.id, call.function.name, orjson.loads(call.function.arguments))
        for call in message.tool_calls or ()
        if call.type == "function"
    ]


def extension(message: object, name: str) -> Any:
    """A field that the SDK has no name for; None where there is none."""
    return (getattr(message, "model_extra", None) or {}).get(name)


def kept(message: ChatCompletionMessage) -> Json:
    """The answer as a client sends it back that keeps every field."""
    whole = message.model_dump(exclude_none=True)
    return {**whole, "tool_calls": [_call(call) for call in whole.get("tool_calls", ())]}


def trimmed(message: ChatCompletionMessage) -> Json:
    """The answer as a client sends it back that keeps OpenAI's own fields only."""
    calls = [
        {key: value for key, value in call.items() if key in ("id", "type", "function")}
        for call in kept(message)["tool_calls"]
    ]
    return {"role": "assistant", "content": message.content, "tool_calls": calls}


def result(call_id: str, content: str) -> Json:
    """A tool's result."""
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def _call(call: Json) -> Json:
    function = {key: call["function"][key] for key in ("name", "arguments")}
    return {key: value for key, value in {**call, "function": function}.items() if key != "index"}
