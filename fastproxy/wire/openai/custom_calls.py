"""Custom tools' calls on the chat surface: their arguments are the bare text, as Cursor takes them.

Cursor fails on `type: "custom"` in `tool_calls`; it wants a function whose `arguments` are no JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastproxy.wire.events import Completion, Event, Finish, ToolDelta
from fastproxy.wire.openai.custom_input import InputReader, read_input


class CustomCalls:
    """Changes the events of one answer."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._readers: dict[tuple[int, int], InputReader] = {}

    def unwrap(self, events: Sequence[Event]) -> list[Event]:
        """The events, custom calls' arguments as text; what was not known before a Finish comes before it."""
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
