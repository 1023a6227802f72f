"""OpenAI-format answers to the old completions as events: a choice's `text` is read as a chat's content."""

from __future__ import annotations

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.events import Completion, Event, complete
from fastproxy.wire.openai.chat_stream import ChatTranslator
from fastproxy.wire.openai.choice_reader import ChoiceReader
from fastproxy.wire.openai.chunks import decode_chunk, usage_of
from fastproxy.wire.openai.errors import bad_response


class CompletionsTranslator(ChatTranslator):
    """Translates one stream (a `Translator`)."""

    def _read_choice(self, choice: Json) -> list[Event]:
        return super()._read_choice({**choice, "delta": {"content": choice.get("text")}, "logprobs": None})


def parse_text_completion(_request: ChatRequest, body: bytes) -> Completion:
    """The completion in a 200 body. Raises UpstreamError where it holds an error or garbage."""
    answer = decode_chunk(body)
    if not answer["choices"]:
        raise bad_response("the body has no `choices`.")
    events: list[Event] = []
    for place, choice in enumerate(answer["choices"]):
        reader = ChoiceReader(place)
        events += reader.read({"content": choice.get("text")}, None, choice.get("finish_reason"))
        if not reader.finished:
            events += reader.finish("")
    if isinstance(answer.get("usage"), dict):
        events.append(usage_of(answer["usage"]))
    return complete(events)
