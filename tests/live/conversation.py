"""What every provider must do when it is asked for real."""

from __future__ import annotations

from typing import Any

import openai

from tests.sdk import WEATHER, ask, calls, kept, result

LIMIT = 2000
"""Tokens of an answer: thoughts count, and nobody wants to pay for more."""


def tells_a_word(client: openai.OpenAI, model: str, *, stream: bool) -> None:
    """A short answer, with the provider's counts."""
    question: list[dict[str, Any]] = [{"role": "user", "content": "Answer with the one word: strawberry"}]
    answer = ask(client, model, question, stream=stream, max_tokens=LIMIT)
    choice = answer.choices[0]
    assert "strawberry" in (choice.message.content or "").lower()
    assert choice.finish_reason == "stop"
    assert answer.model == model
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens >= answer.usage.prompt_tokens + answer.usage.completion_tokens


def calls_a_tool_and_uses_its_result(client: openai.OpenAI, model: str, *, stream: bool) -> None:
    """Two turns: the call, then an answer that could not be known without the tool's result."""
    history: list[dict[str, Any]] = [
        {"role": "user", "content": "What is the weather in Oslo? Use the tool, then answer briefly."}
    ]
    choice = ask(client, model, history, stream=stream, tools=[WEATHER], max_tokens=LIMIT).choices[0]
    assert choice.finish_reason == "tool_calls"
    made = calls(choice.message)
    assert {(call.name, call.arguments["city"].split(",")[0]) for call in made} == {("get_weather", "Oslo")}
    results = [result(call.id, "It rains purple frogs.") for call in made]
    history = [*history, kept(choice.message), *results]
    last = ask(client, model, history, stream=stream, tools=[WEATHER], max_tokens=LIMIT).choices[0]
    assert "frog" in (last.message.content or "").lower()
