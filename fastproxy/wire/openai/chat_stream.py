"""An OpenAI-format stream as events: for surfaces that do not speak OpenAI's chat format."""

from __future__ import annotations

from fastproxy.errors import UpstreamError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.events import Event, Fault, Usage
from fastproxy.wire.openai.choice_reader import ChoiceReader
from fastproxy.wire.openai.chunks import decode_chunk, usage_of
from fastproxy.wire.openai.errors import bad_response
from fastproxy.wire.openai.reasoning import ReasoningKeeper
from fastproxy.wire.sse import SseDecoder


class ChatTranslator:
    """Translates one stream (a `Translator`)."""

    def __init__(self, request: ChatRequest) -> None:
        self._decoder = SseDecoder()
        self._keeper = ReasoningKeeper(request)
        self._choices: dict[int, ChoiceReader] = {}
        self._usage: Usage | None = None
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        if self._over:
            return []
        return self._read_all([event.data for event in self._decoder.feed(data)])

    def finish(self) -> list[Event]:
        """The last events: the usage, or a Fault where the answer broke off."""
        events = [] if self._over else self._read_all([event.data for event in self._decoder.finish()])
        if not self._over and self._decoder.stray.lstrip().startswith((b"{", b"[")):
            events += self._read_all([self._decoder.stray])
        return events if self._over else events + self._close()

    def _read_all(self, payloads: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for payload in payloads:
            if self._over:
                break
            try:
                events += self._read(payload)
            except UpstreamError as error:
                events.append(self._break(error))
        return events

    def _read(self, payload: bytes) -> list[Event]:
        if payload.strip() == b"[DONE]":
            return self._close()
        chunk = decode_chunk(payload)
        if isinstance(chunk.get("usage"), dict):
            self._usage = usage_of(chunk["usage"])
        return [event for choice in chunk["choices"] for event in self._read_choice(choice)]

    def _read_choice(self, choice: Json) -> list[Event]:
        index = choice["index"] if type(choice.get("index")) is int else 0
        reader = self._choices.setdefault(index, ChoiceReader(index))
        delta = choice.get("delta")
        events = reader.read(delta, choice.get("logprobs"), choice.get("finish_reason"))
        if index == 0 and isinstance(delta, dict):
            # What must be remembered goes before what tells the client the call's id.
            return [*self._keeper.add(delta), *events]
        return events

    def _close(self) -> list[Event]:
        if not any(reader.finished for reader in self._choices.values()):
            return [self._break(bad_response("the stream ended before the answer was finished."))]
        self._over = True
        usage = [] if self._usage is None else [self._usage]
        return [*self._keeper.end(), *usage]

    def _break(self, error: UpstreamError) -> Fault:
        self._over = True
        return Fault(error)


def translate_stream(request: ChatRequest) -> ChatTranslator:
    """A fresh translator for one streamed answer."""
    return ChatTranslator(request)
