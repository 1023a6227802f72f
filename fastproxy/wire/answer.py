"""A streamed answer on its way through: upstream bytes in, the client's bytes out.

Two kinds stand behind the one protocol: `RenderedStream` translates (wire format -> events -> surface), a
provider's own native stream passes bytes through where both sides speak the same format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fastproxy.errors import UpstreamError
from fastproxy.types import value
from fastproxy.wire.events import CONTENT, Carry, Event, Fault, Finish, Translator, Usage


@dataclass(slots=True)
class Head:
    """What all bytes of one answer agree on, whichever attempt they come from."""

    id: str
    created: int
    """Unix seconds."""
    model: str
    """The name that was asked for."""
    number: int = 0
    """The next event's, where a surface numbers its events."""
    beaten: int = 0
    """How many of these were heartbeats: sent already, whichever attempt answers in the end."""


class AnswerStream(Protocol):
    """One streamed answer. After `fault` is set nothing more is fed."""

    has_content: bool
    """The answer's first content was in what was fed."""
    fault: UpstreamError | None
    """The provider broke or reported an error; the bytes that tell the client were already returned."""
    usage: Usage | None
    finish: str
    """The provider's own word for the end, "" until it came."""
    carries: list[Carry]
    """What must be remembered; whoever remembers it clears the list."""

    def feed(self, data: bytes) -> bytes:
        """The client's bytes for these upstream bytes. Raises UpstreamError only."""
        ...

    def end(self) -> bytes:
        """The client's last bytes, when the upstream's stream is at its end."""
        ...

    def fail(self, error: UpstreamError) -> bytes:
        """The client's last bytes, when the stream cannot go on: an error, and no end marker."""
        ...


@value
class WholeAnswer:
    """A unary answer as the client's bytes, and what is told about it."""

    body: bytes
    usage: Usage | None = None
    finish: str = ""
    carries: Sequence[Carry] = field(default_factory=tuple)


class Renderer(Protocol):
    """Turns the events of one answer into a surface's bytes."""

    def render(self, events: Sequence[Event]) -> bytes:
        """The bytes of these events."""
        ...

    def end(self) -> bytes:
        """The bytes that end a whole answer; b"" after a Fault."""
        ...


class RenderedStream:
    """An answer that is translated: the upstream's wire format to events to the surface's bytes."""

    def __init__(self, translator: Translator, renderer: Renderer) -> None:
        self._translator, self._renderer = translator, renderer
        self.has_content = False
        self.fault: UpstreamError | None = None
        self.usage: Usage | None = None
        self.finish = ""
        self.carries: list[Carry] = []

    def feed(self, data: bytes) -> bytes:
        """The client's bytes for these upstream bytes."""
        return self._show(self._translator.feed(data))

    def end(self) -> bytes:
        """What the end of the upstream's stream completes, and the surface's own end."""
        return self._show(self._translator.finish()) + self._renderer.end()

    def fail(self, error: UpstreamError) -> bytes:
        """The surface's error event."""
        return self._show([Fault(error)])

    def _show(self, events: Sequence[Event]) -> bytes:
        for event in events:
            if isinstance(event, CONTENT):
                self.has_content = True
                if isinstance(event, Finish):
                    self.finish = event.native or event.reason
                elif isinstance(event, Fault):
                    self.fault = event.error
            elif isinstance(event, Usage):
                self.usage = event
            else:
                self.carries.append(event)
        return self._renderer.render(events)
