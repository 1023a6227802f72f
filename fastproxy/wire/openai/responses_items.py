"""The output items of a Responses stream while they grow: opened, grown and closed, in numbered events.

Law: every event of an item lies between its `output_item.added` and its `output_item.done`.
Source: `openai` Python SDK 3.54, `types/responses/response_stream_event.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson

from fastproxy.types import Json
from fastproxy.wire.answer import Head
from fastproxy.wire.events import Carry
from fastproxy.wire.openai.calls import encode
from fastproxy.wire.openai.carrier import pack
from fastproxy.wire.openai.custom_input import InputReader


class EventWriter:
    """Writes events and numbers them on."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._written: list[bytes] = []

    def send(self, kind: str, **fields: object) -> None:
        """One event."""
        event = {"type": kind, "sequence_number": self._head.number, **fields}
        self._head.number += 1
        self._written.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), encode(event)))

    def send_delta(self, front: bytes, delta: object, tail: bytes = b"") -> None:
        """One event of the many, its unchanging front made before (`delta_front`)."""
        number, self._head.number = self._head.number, self._head.number + 1
        self._written.append(
            b'%b,"sequence_number":%d,"delta":%b%b}\n\n' % (front, number, orjson.dumps(delta), tail)
        )

    def take(self) -> bytes:
        """All that was written since the last time."""
        written, self._written = self._written, []
        return b"".join(written)


def delta_front(kind: str, place: Json) -> bytes:
    """The beginning of a delta event."""
    return b"event: %b\ndata: %b" % (kind.encode(), orjson.dumps({"type": kind, **place})[:-1])


class _Item:
    def __init__(self, events: EventWriter, index: int, item: Json) -> None:
        self.index = index
        self._events, self._item = events, item
        self._place: Json = {"item_id": item["id"], "output_index": index}
        events.send("response.output_item.added", output_index=index, item=item)

    def _close(self, **fields: object) -> Json:
        item = {**self._item, **fields}
        self._events.send("response.output_item.done", output_index=self.index, item=item)
        return item


class ReasoningItem(_Item):
    """Thoughts as a summary, and what the provider wants back of them."""

    def __init__(self, events: EventWriter, index: int, item_id: str) -> None:
        super().__init__(events, index, {"id": item_id, "type": "reasoning", "summary": []})
        self._texts: list[str] = []
        self._part = {**self._place, "summary_index": 0}
        self._front = delta_front("response.reasoning_summary_text.delta", self._part)

    def say(self, text: str) -> None:
        """More thoughts."""
        if not self._texts:
            empty = {"type": "summary_text", "text": ""}
            self._events.send("response.reasoning_summary_part.added", **self._part, part=empty)
        self._texts.append(text)
        self._events.send_delta(self._front, text)

    def close(self, carries: Iterable[Carry]) -> Json:
        """The whole item, which carries these."""
        summary = []
        if self._texts:
            part = {"type": "summary_text", "text": "".join(self._texts)}
            self._events.send("response.reasoning_summary_text.done", **self._part, text=part["text"])
            self._events.send("response.reasoning_summary_part.done", **self._part, part=part)
            summary.append(part)
        carrier = pack(carries)
        return self._close(summary=summary, **({"encrypted_content": carrier} if carrier else {}))


class MessageItem(_Item):
    """The answer's text, and a refusal: a content part each."""

    def __init__(self, events: EventWriter, index: int, item_id: str) -> None:
        item = {"id": item_id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        super().__init__(events, index, item)
        self._parts: list[Json] = []
        self._texts: list[str] = []
        self._logprobs: list[Json] = []
        self._annotations: list[Json] = []
        self._front = b""

    def say(self, text: str, logprobs: Sequence[Json]) -> None:
        """More text, with the chances of its tokens."""
        self._turn_to("output_text", {"text": "", "annotations": [], "logprobs": []})
        self._texts.append(text)
        self._logprobs += logprobs
        self._events.send_delta(self._front, text, b',"logprobs":' + orjson.dumps(logprobs))

    def refuse(self, text: str) -> None:
        """More of a refusal."""
        self._turn_to("refusal", {"refusal": ""})
        self._texts.append(text)
        self._events.send_delta(self._front, text)

    def cite(self, annotations: Iterable[Json]) -> None:
        """Citations of what was said, in chat's form."""
        if not self._parts or self._parts[-1]["type"] != "output_text":
            return
        for annotation in map(_citation, annotations):
            place = {**self._part_place(), "annotation_index": len(self._annotations)}
            self._events.send("response.output_text.annotation.added", **place, annotation=annotation)
            self._annotations.append(annotation)

    def close(self, status: str) -> Json:
        """The whole item."""
        self._close_part()
        return self._close(status=status, content=self._parts)

    def _part_place(self) -> Json:
        return {**self._place, "content_index": len(self._parts) - 1}

    def _turn_to(self, kind: str, fields: Json) -> None:
        """Opens a part of this kind, unless it is open."""
        if self._parts and self._parts[-1]["type"] == kind:
            return
        self._close_part()
        self._parts.append({"type": kind, **fields})
        place = self._part_place()
        self._events.send("response.content_part.added", **place, part=self._parts[-1])
        self._front = delta_front(f"response.{kind}.delta", place)

    def _close_part(self) -> None:
        if not self._parts:
            return
        kind, text = self._parts[-1]["type"], "".join(self._texts)
        if kind == "refusal":
            said: Json = {"refusal": text}
            part = {"type": kind, **said}
        else:
            said = {"text": text, "logprobs": self._logprobs}
            part = {"type": kind, **said, "annotations": self._annotations}
        self._events.send(f"response.{kind}.done", **self._part_place(), **said)
        self._events.send("response.content_part.done", **self._part_place(), part=part)
        self._parts[-1] = part
        self._texts, self._logprobs, self._annotations = [], [], []


class CallItem(_Item):
    """A call of a function, or of a custom tool, whose bare text goes out."""

    def __init__(
        self, events: EventWriter, index: int, item_id: str, call_id: str, name: str, *, custom: bool
    ) -> None:
        kind, self._field, self._event = _CUSTOM if custom else _FUNCTION
        item: Json = {"id": item_id, "type": kind, "call_id": call_id, "name": name, self._field: ""}
        super().__init__(events, index, item if custom else {**item, "status": "in_progress"})
        self._reader = InputReader() if custom else None
        self._arguments: list[str] = []
        self._texts: list[str] = []
        self._front = delta_front(f"{self._event}.delta", self._place)

    def grow(self, arguments: str) -> None:
        """More of the arguments."""
        self._arguments.append(arguments)
        self._say(self._reader.feed(arguments) if self._reader else arguments)

    def is_whole(self) -> bool:
        """Nothing more belongs to it, now that another item has begun."""
        try:
            orjson.loads("".join(self._arguments))
        except orjson.JSONDecodeError:
            return False
        return True

    def close(self, status: str) -> Json:
        """The whole item."""
        if self._reader:
            self._say(self._reader.end())
        said = {self._field: "".join(self._texts)}
        self._events.send(f"{self._event}.done", **self._place, **said)
        return self._close(**said, **({} if self._reader else {"status": status}))

    def _say(self, text: str) -> None:
        if text:
            self._texts.append(text)
            self._events.send_delta(self._front, text)


_FUNCTION = ("function_call", "arguments", "response.function_call_arguments")
_CUSTOM = ("custom_tool_call", "input", "response.custom_tool_call_input")


class ImageItem(_Item):
    """A generated image, which comes whole."""

    def __init__(self, events: EventWriter, index: int, item_id: str) -> None:
        item = {"id": item_id, "type": "image_generation_call", "status": "in_progress", "result": None}
        super().__init__(events, index, item)

    def close(self, data: str) -> Json:
        """The whole item; `data` is base64."""
        return self._close(status="completed", result=data)


def _citation(annotation: Json) -> Json:
    """Chat's citation as Responses has it: flat."""
    cited = annotation.get("url_citation")
    flat: Json = cited if isinstance(cited, dict) else {}
    return {"start_index": 0, "end_index": 0, "title": "", "url": "", **flat, "type": "url_citation"}
