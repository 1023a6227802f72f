"""Custom tools' calls on the chat surface: their arguments are the bare text, as Cursor takes them.

Cursor fails on `type: "custom"` in `tool_calls`; it wants a function whose `arguments` are no JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastproxy.wire.answer import Renderer
from fastproxy.wire.events import Completion, Event, Finish, ToolDelta
from fastproxy.wire.openai.custom_input import InputReader, read_input


class CustomCallsRenderer:
    """Renders the events of one answer by another renderer (a `Renderer`)."""

    def __init__(self, renderer: Renderer, names: frozenset[str]) -> None:
        self._renderer, self._names = renderer, names
        self._readers: dict[tuple[int, int], InputReader] = {}

    def render(self, events: Sequence[Event]) -> bytes:
        """The bytes of these events, custom calls' arguments as text."""
        return self._renderer.render(self._unwrapped(events))

    def end(self) -> bytes:
        """The bytes that end a whole answer."""
        return self._renderer.end()

    def _unwrapped(self, events: Sequence[Event]) -> list[Event]:
        """What of a call's text was not known before the Finish comes right before it."""
        made: list[Event] = []
        for event in events:
            if isinstance(event, ToolDelta):
                made += self._call(event)
            else:
                if isinstance(event, Finish):
                    made += self._rest(event.choice)
                made.append(event)
        return made

    def _call(self, event: ToolDelta) -> list[Event]:
        place = (event.choice, event.index)
        if event.name in self._names and place not in self._readers:
            self._readers[place] = InputReader()
        reader = self._readers.get(place)
        if reader is None:
            return [event]
        text = reader.feed(event.arguments)
        return [replace(event, arguments=text)] if text or event.id else []

    def _rest(self, choice: int) -> list[Event]:
        texts = [(index, reader.end()) for (of, index), reader in self._readers.items() if of == choice]
        return [ToolDelta(index, text, choice=choice) for index, text in texts if text]


def unwrap_completion(completion: Completion, names: frozenset[str]) -> Completion:
    """The same for a whole answer."""
    choices = [
        replace(
            choice,
            tool_calls=[
                replace(call, arguments=read_input(call.arguments)) if call.name in names else call
                for call in choice.tool_calls
            ],
        )
        for choice in completion.choices
    ]
    return replace(completion, choices=choices)
