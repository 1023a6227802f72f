"""A conversation as it is put together, with the repairs that real clients' histories need.

Law: each tool message answers a call of the assistant turn before it, and each call is answered before
anything else is said (a missing answer becomes "(no output)").
"""

from __future__ import annotations

from fastproxy.types import Json

NO_OUTPUT = "(no output)"


class History:
    """The messages so far, and which calls of the last assistant turn still wait for their answers."""

    def __init__(self) -> None:
        self.messages: list[Json] = []
        self._open: dict[str, str] = {}
        self._stubs: dict[str, int] = {}
        self._media: list[Json] = []

    def say(self, message: Json) -> None:
        """Add a message that is no tool's answer."""
        if self._open or self._media:
            self.close_turn()
        self.messages.append(message)

    def expect(self, calls: list[Json]) -> None:
        """These calls must be answered next."""
        self._open = {call["id"]: call["function"]["name"] for call in calls}

    def call_for(self, name: object) -> str | None:
        """The first waiting call of this name, else the first waiting call."""
        for call_id, waiting in self._open.items():
            if waiting == name:
                return call_id
        return next(iter(self._open), None)

    def answer(self, message: Json, media: list[Json]) -> None:
        """Add a tool's answer; one that comes late takes the place kept for it; one to no call is dropped.
        Its images go into a user message after the turn: tool messages are text at most providers."""
        call_id = message["tool_call_id"]
        if self._open.pop(call_id, None) is not None:
            self.messages.append(message)
            self._media += media
        elif (place := self._stubs.pop(call_id, None)) is not None:
            self.messages[place] = message

    def close_turn(self) -> None:
        """Answer what was left unanswered, then show what the tools' answers held beside text."""
        for call_id in self._open:
            self._stubs[call_id] = len(self.messages)
            self.messages.append({"role": "tool", "tool_call_id": call_id, "content": NO_OUTPUT})
        self._open = {}
        if self._media:
            self.messages.append({"role": "user", "content": self._media})
            self._media = []
