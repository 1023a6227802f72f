"""Ollama's NDJSON stream as events: bytes in, however cut, events out; a break is the last event."""

from __future__ import annotations

from collections.abc import Iterator

from fastproxy.errors import UpstreamError
from fastproxy.types import ChatRequest
from fastproxy.wire.events import Event, Fault
from fastproxy.wire.ndjson import NdjsonDecoder
from fastproxy.wire.ollama.response import AnswerReader, end_of_stream


class OllamaTranslator:
    """Translates one stream of /api/chat. The answer is over at `done: true`, not at the end of the bytes."""

    def __init__(self, request: ChatRequest) -> None:
        self._decoder = NdjsonDecoder()
        self._reader = AnswerReader(request)
        self._broken = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        return self._translate(self._decoder.feed(data))

    def finish(self) -> list[Event]:
        """The events of a last line without a newline; a Fault where the answer is not done then."""
        events = self._translate(self._decoder.finish())
        if not self._over:
            self._broken = True
            events.append(end_of_stream())
        return events

    @property
    def _over(self) -> bool:
        return self._broken or self._reader.done

    def _translate(self, lines: Iterator[bytes]) -> list[Event]:
        events: list[Event] = []
        if self._over:
            return events
        try:
            for line in lines:
                events += self._reader.read(line)
                if self._reader.done:
                    break
        except UpstreamError as error:
            self._broken = True
            events.append(Fault(error))
        return events


def translate_stream(request: ChatRequest) -> OllamaTranslator:
    """A fresh translator for one streamed answer."""
    return OllamaTranslator(request)
