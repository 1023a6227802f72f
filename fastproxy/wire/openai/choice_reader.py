"""One choice of an OpenAI-format answer as events: a unary `message` is read as one big delta."""

from __future__ import annotations

from typing import Any

from fastproxy.types import Json
from fastproxy.wire.events import (
    Annotations,
    Delta,
    Event,
    Finish,
    Image,
    Reasoning,
    Refusal,
    ToolDelta,
)
from fastproxy.wire.openai.chunks import finish_reason, reasoning_of
from fastproxy.wire.openai.errors import bad_response
from fastproxy.wire.openai.passthrough import encode_answer, made_id


class ChoiceReader:
    """Reads the deltas of one choice in their order. Raises UpstreamError for garbage."""

    def __init__(self, index: int) -> None:
        self._choice = index
        self._ids: list[str] = []
        self._silent: set[int] = set()
        self._by_place: dict[int, int] = {}
        self.finished = False

    def read(self, said: Any, logprobs: Any, native: Any) -> list[Event]:
        """The events of one delta (or whole message), its logprobs and its finish reason."""
        events: list[Event] = []
        if isinstance(said, dict) and not self.finished:
            self._say(said, logprobs, events)
        if isinstance(native, str) and native and not self.finished:
            events += self.finish(native)
        return events

    def finish(self, native: str) -> list[Event]:
        """The end of this choice; calls that came without arguments get "{}"."""
        self.finished = True
        empty = [ToolDelta(index, "{}", choice=self._choice) for index in sorted(self._silent)]
        return [*empty, Finish(finish_reason(native, bool(self._ids)), self._choice, native)]

    def _say(self, said: Json, logprobs: Any, events: list[Event]) -> None:
        if thoughts := reasoning_of(said):
            events.append(Reasoning(thoughts, self._choice))
        chances = _objects(logprobs.get("content")) if isinstance(logprobs, dict) else ()
        text = said.get("content")
        if isinstance(text, str) and (text or chances):
            events.append(Delta(text, self._choice, chances))
        if isinstance(said.get("refusal"), str) and said["refusal"]:
            events.append(Refusal(said["refusal"], self._choice))
        if items := _objects(said.get("annotations")):
            events.append(Annotations(items, self._choice))
        for image in _objects(said.get("images")):
            url = image.get("image_url")
            if isinstance(url, dict) and isinstance(url.get("url"), str):
                events.append(Image(url["url"], self._choice))
        for position, call in enumerate(_objects(said.get("tool_calls"))):
            events.append(self._call(call, position))

    def _call(self, call: Json, position: int) -> ToolDelta:
        """A piece of a call. Servers that give every parallel call the same index differ in the `id`."""
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        place = call["index"] if type(call.get("index")) is int else position
        given = call.get("id")
        call_id = given if isinstance(given, str) and given else None
        arguments = _arguments(function.get("arguments"))
        known = self._by_place.get(place)
        if known is not None and call_id in (None, self._ids[known]):
            if arguments:
                self._silent.discard(known)
            return ToolDelta(known, arguments, choice=self._choice)
        name = function.get("name")
        if not isinstance(name, str) or not name:
            raise bad_response("a tool call has no name.")
        index = len(self._ids)
        self._ids.append(call_id or made_id("call_"))
        self._by_place[place] = index
        if not arguments:
            self._silent.add(index)
        extra = call.get("extra_content")
        extra = extra if isinstance(extra, dict) else None
        return ToolDelta(index, arguments, self._ids[index], name, self._choice, extra)


def _arguments(arguments: Any) -> str:
    if isinstance(arguments, dict):
        return encode_answer(arguments).decode()
    return arguments if isinstance(arguments, str) else ""


def _objects(items: Any) -> tuple[Json, ...]:
    return tuple(item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()
