"""One streamed answer of Gemini: bytes of server-sent events in, events out.

There is no end marker but the end of the file, so an answer whose finish reason never came is a fault.
Errors come as an event, or as bare JSON between the events.
"""

from __future__ import annotations

from fastproxy.errors import UpstreamError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.events import Event, Fault
from fastproxy.wire.gemini.response import Answer, chunks
from fastproxy.wire.sse import SseDecoder, SseEvent

_OPENAI_END = b"[DONE]"  # never Google's own, but gateways before it add it


class GeminiStream:
    """A `Translator`; after a Fault it is silent."""

    def __init__(self, request: ChatRequest) -> None:
        self._decoder = SseDecoder()
        self._answer = Answer(request)
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        out: list[Event] = []
        if not self._over:
            try:
                self._add(self._decoder.feed(data), out)
            except UpstreamError as error:
                self._break(error, out)
        return out

    def finish(self) -> list[Event]:
        """The events of the end of the file: finish reasons and usage, or a Fault."""
        out: list[Event] = []
        if self._over:
            return out
        try:
            self._add(self._decoder.finish(), out)
            for chunk in self._stray():
                self._answer.add(chunk, out)
            self._answer.end(out, whole=False)
        except UpstreamError as error:
            self._break(error, out)
        self._over = True
        return out

    def _add(self, events: list[SseEvent], out: list[Event]) -> None:
        for event in events:
            data = event.data
            if data and data != _OPENAI_END:
                for chunk in chunks(data):
                    self._answer.add(chunk, out)

    def _stray(self) -> list[Json]:
        """The JSON between the events; other lines mean nothing once the answer is whole."""
        stray = self._decoder.stray
        try:
            return chunks(stray) if stray.strip() else []
        except UpstreamError:
            if self._answer.finished:
                return []
            raise

    def _break(self, error: UpstreamError, out: list[Event]) -> None:
        self._over = True
        out.append(Fault(error))


def translate_stream(request: ChatRequest) -> GeminiStream:
    """A fresh translator for one streamed answer."""
    return GeminiStream(request)
