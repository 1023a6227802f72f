"""Events and completions as the bytes of OpenAI's old completions: text alone, without thoughts and calls.

Source: `openai` Python SDK 3.54, `types/completion.py` and `completion_choice.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.answer import Head
from fastproxy.wire.events import Choice, Completion, Delta, Event, Fault, Finish, Refusal, Usage
from fastproxy.wire.openai.chat_render import DONE, stream_error, usage_json


class CompletionsRenderer:
    """Renders the events of one answer. One object a stream."""

    def __init__(self, head: Head, request: ChatRequest) -> None:
        self._head, self._include_usage = head, request.include_usage
        self._usage: Usage | None = None
        self._failed = False

    def render(self, events: Sequence[Event]) -> bytes:
        """The chunks of these events; b"" where they show nothing."""
        return b"".join([self._chunk(event) for event in events])

    def end(self) -> bytes:
        """The usage, if it was asked for and is known, and `[DONE]`; b"" after a Fault."""
        if self._failed:
            return b""
        if self._include_usage and self._usage is not None:
            return _event({**_frame(self._head, []), "usage": usage_json(self._usage)}) + DONE
        return DONE

    def _chunk(self, event: Event) -> bytes:
        if self._failed:
            return b""
        match event:
            case Delta() | Refusal():
                return _event(_frame(self._head, [_choice(event.choice, event.text, None)]))
            case Finish():
                return _event(_frame(self._head, [_choice(event.choice, "", event.reason)]))
            case Usage():
                self._usage = event
            case Fault():
                self._failed = True
                return stream_error(event.error)
        return b""


def render_text_completion(completion: Completion, head: Head, _request: ChatRequest) -> bytes:
    """The `text_completion` body of a whole answer."""
    choices = [_choice(choice.index, _text(choice), choice.finish_reason) for choice in completion.choices]
    body = _frame(head, choices)
    if completion.usage is not None:
        body["usage"] = usage_json(completion.usage)
    return orjson.dumps(body)


def _text(choice: Choice) -> str:
    return (choice.text or "") + (choice.refusal or "")


def _frame(head: Head, choices: list[Json]) -> Json:
    named = {"id": head.id, "object": "text_completion", "created": head.created, "model": head.model}
    return {**named, "choices": choices}


def _choice(index: int, text: str, finish: str | None) -> Json:
    # a completion has no calls to end with
    reason = "stop" if finish == "tool_calls" else finish
    return {"text": text, "index": index, "logprobs": None, "finish_reason": reason}


def _event(chunk: Json) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(chunk)
