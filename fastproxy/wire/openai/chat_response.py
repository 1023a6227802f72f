"""A whole OpenAI-format answer as a `Completion`: for surfaces that do not speak OpenAI's chat format."""

from __future__ import annotations

from fastproxy.types import ChatRequest
from fastproxy.wire.events import Completion, Event, complete
from fastproxy.wire.openai.choice_reader import ChoiceReader
from fastproxy.wire.openai.chunks import usage_of
from fastproxy.wire.openai.reasoning import ReasoningKeeper
from fastproxy.wire.openai.whole_answer import read_completion


def parse_response(request: ChatRequest, body: bytes) -> Completion:
    """The completion in a 200 body. Raises UpstreamError where it holds an error or garbage."""
    answer = read_completion(body)
    events: list[Event] = []
    for place, choice in enumerate(answer["choices"]):
        reader = ChoiceReader(place)
        events += reader.read(choice["message"], choice.get("logprobs"), choice.get("finish_reason"))
        if not reader.finished:
            events += reader.finish("")
    keeper = ReasoningKeeper(request)
    events += keeper.add(answer["choices"][0]["message"])
    events += keeper.end()
    if isinstance(answer.get("usage"), dict):
        events.append(usage_of(answer["usage"]))
    return complete(events)
