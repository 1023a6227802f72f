"""Gemini's candidates in, events out: one maker for whole answers and for streams.

A finish reason may come in any chunk and usage in every one, so both are told when the answer ends.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from fastproxy.errors import Repair
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.events import (
    Annotations,
    Carry,
    Completion,
    Delta,
    Event,
    Fault,
    Finish,
    Image,
    Reasoning,
    Refusal,
    ToolDelta,
    complete,
)
from fastproxy.wire.gemini.arguments import PartialArguments
from fastproxy.wire.gemini.citations import url_citations
from fastproxy.wire.gemini.errors import bad_response, error_in, error_in_answer
from fastproxy.wire.gemini.finish import FAILED, NO_SIGNATURE, finish_reason
from fastproxy.wire.gemini.logprobs import logprobs
from fastproxy.wire.gemini.tools import ToolNames
from fastproxy.wire.gemini.turns import NO_SIGNATURES, SIGNATURE
from fastproxy.wire.gemini.usage import has_counts, usage

_PLAIN = frozenset(("content", "index"))
"""All that most chunks of a stream say of a candidate."""
_KEPT_ID = re.compile(r"[A-Za-z0-9_-]{8,40}")


def parse_response(request: ChatRequest, body: bytes) -> Completion:
    """The completion in a whole 200 body, which may also be the list of chunks of a stream.

    Raises UpstreamError where the body holds an error, is no JSON, or answers nothing.
    """
    answer = Answer(request)
    events: list[Event] = []
    for chunk in chunks(body):
        answer.add(chunk, events)
    answer.end(events, whole=True)
    return complete(events)


def chunks(data: bytes) -> list[Json]:
    """The response objects in one JSON text: one, or a list of them. Raises UpstreamError for garbage."""
    try:
        value = orjson.loads(data)
    except ValueError:
        kind = "an HTML page" if data.lstrip()[:1] == b"<" else "something that is no JSON"
        raise bad_response(f"it answered with {kind}.") from None
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in listed):
        raise bad_response("it answered with JSON that is no response.")
    return listed


@dataclass(slots=True)
class _Pending:
    """A call whose arguments come in pieces."""

    index: int
    arguments: PartialArguments


@dataclass(slots=True)
class _Choice:
    index: int
    text: list[str] = field(default_factory=list)
    calls: int = 0
    images: int = 0
    pending: _Pending | None = None
    held_signature: str | None = None
    """Came on an empty or thought part before the call that it belongs to."""
    finish: str = ""
    finish_message: str = ""
    grounding: object = None
    citations: list[Json] = field(default_factory=list)


class Answer:
    """One answer of the model, as its chunks come in."""

    def __init__(self, request: ChatRequest) -> None:
        self._names = ToolNames(request.tools)
        self._choices: dict[int, _Choice] = {}
        self._ids: set[str] = set()
        self._usage: Json | None = None
        self._block: Json | None = None

    @property
    def finished(self) -> bool:
        """Whether a finish reason has come for every candidate so far."""
        return bool(self._choices) and all(choice.finish for choice in self._choices.values())

    def add(self, chunk: Json, out: list[Event]) -> None:
        """Appends the events of one GenerateContentResponse. Raises UpstreamError where it is an error."""
        if "error" in chunk:
            raise error_in_answer(error_in(chunk) or {"message": "an error without a message"})
        metadata = chunk.get("usageMetadata")
        if has_counts(metadata):
            self._usage = metadata
        feedback = chunk.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            self._block = feedback
        candidates = chunk.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else ():
            if isinstance(candidate, dict):
                self._candidate(candidate, out)

    def end(self, out: list[Event], *, whole: bool) -> None:
        """Appends what the end of the answer completes; a stream (not `whole`) must have said its finish."""
        if not self._choices:
            self._unanswered(out)
            return
        for _index, choice in sorted(self._choices.items()):
            self._close_call(choice, out)
            fault = self._fault(choice, whole)
            if fault:
                out.append(fault)
                return
        for _index, choice in sorted(self._choices.items()):
            self._end_choice(choice, out)
        self._end_usage(out)

    def _candidate(self, candidate: Json, out: list[Event]) -> None:
        index = candidate.get("index")
        index = index if isinstance(index, int) and index > 0 else 0
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index)
        first = len(out)
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                self._part(choice, part, out)
        if not candidate.keys() <= _PLAIN:
            self._about(choice, candidate, out, first)

    def _about(self, choice: _Choice, candidate: Json, out: list[Event], first: int) -> None:
        """What a candidate says beside its content."""
        choice.finish = str(candidate.get("finishReason") or choice.finish)
        choice.grounding = candidate.get("groundingMetadata") or choice.grounding
        cited = candidate.get("citationMetadata")
        citations = cited.get("citations") if isinstance(cited, dict) else None
        if isinstance(citations, list):
            choice.citations.extend(item for item in citations if isinstance(item, dict))
        choice.finish_message = str(candidate.get("finishMessage") or choice.finish_message)
        items = logprobs(candidate.get("logprobsResult"))
        if items:
            _attach(items, choice.index, out, first)

    def _part(self, choice: _Choice, part: Json, out: list[Event]) -> None:
        signature = part.get("thoughtSignature")
        text = part.get("text")
        if isinstance(text, str):
            thought = part.get("thought") is True
            if text and thought:
                out.append(Reasoning(text, choice.index))
            elif text:
                choice.text.append(text)
                out.append(Delta(text, choice.index))
            if signature and (thought or not text):
                choice.held_signature = str(signature)
        elif isinstance(part.get("functionCall"), dict):
            self._call(choice, part["functionCall"], signature, out)
        elif isinstance(part.get("inlineData"), dict) and part.get("thought") is not True:
            _image(choice, part["inlineData"], out)

    def _call(self, choice: _Choice, call: Json, signature: object, out: list[Event]) -> None:
        pieces = call.get("partialArgs")
        goes_on = call.get("willContinue") is True
        name = call.get("name")
        if isinstance(name, str) and name:
            self._close_call(choice, out)
            arguments = None if goes_on or pieces else _written(call.get("args"))
            index = self._open_call(choice, call, arguments or "", signature, out)
            if arguments is not None:
                return
            choice.pending = _Pending(index, PartialArguments(call.get("args")))
        if choice.pending is None:
            return
        for piece in pieces if isinstance(pieces, list) else ():
            choice.pending.arguments.add(piece)
        if not goes_on:
            self._close_call(choice, out)

    def _open_call(
        self, choice: _Choice, call: Json, arguments: str, signature: object, out: list[Event]
    ) -> int:
        index, call_id = choice.calls, self._new_id(call.get("id"))
        choice.calls += 1
        known = str(signature) if signature else choice.held_signature
        choice.held_signature = None
        extra = {"google": {"thought_signature": known}} if known else None
        name = self._names.to_client(call["name"])
        out.append(ToolDelta(index, arguments, call_id, name, choice.index, extra))
        if known:
            out.append(Carry(SIGNATURE, call_id, known))
        return index

    def _close_call(self, choice: _Choice, out: list[Event]) -> None:
        """Writes the arguments of a call that came in pieces; its end is not always marked."""
        pending, choice.pending = choice.pending, None
        if pending:
            out.append(ToolDelta(pending.index, _written(pending.arguments.value), choice=choice.index))

    def _new_id(self, given: object) -> str:
        """Google's own id where it is usable and new, else one of ours."""
        call_id = given if isinstance(given, str) and _KEPT_ID.fullmatch(given) else ""
        if not call_id or call_id in self._ids:
            call_id = f"call_{secrets.token_hex(12)}"
        self._ids.add(call_id)
        return call_id

    def _unanswered(self, out: list[Event]) -> None:
        if self._block is None:
            out.append(Fault(bad_response("it ended the answer without a candidate.")))
            return
        reason = str(self._block["blockReason"])
        message = self._block.get("blockReasonMessage") or f"The prompt was blocked: {reason}."
        out.append(Refusal(str(message)))
        out.append(Finish("content_filter", native=reason))
        self._end_usage(out)

    def _fault(self, choice: _Choice, whole: bool) -> Fault | None:
        if not (choice.finish or whole or self._block):
            return Fault(bad_response("the stream ended in the middle of the answer."))
        if choice.finish in FAILED and not (choice.text or choice.calls or choice.images):
            repair = Repair(NO_SIGNATURES) if choice.finish == NO_SIGNATURE else None
            told = f": {choice.finish_message}" if choice.finish_message else "."
            return Fault(bad_response(f"the model gave no answer ({choice.finish}){told}", repair))
        return None

    def _end_choice(self, choice: _Choice, out: list[Event]) -> None:
        blocked = self._block is not None and not choice.finish
        native = str(self._block["blockReason"]) if self._block and blocked else choice.finish
        reason = finish_reason(native, blocked=blocked, called=choice.calls > 0)
        if choice.grounding or choice.citations:
            items = url_citations("".join(choice.text), choice.grounding, choice.citations)
            if items:
                out.append(Annotations(items, choice.index))
        if reason == "content_filter" and choice.finish_message and not choice.text:
            out.append(Refusal(choice.finish_message, choice.index))
        out.append(Finish(reason, choice.index, native))

    def _end_usage(self, out: list[Event]) -> None:
        if self._usage is not None:
            out.append(usage(self._usage))


def _image(choice: _Choice, data: Json, out: list[Event]) -> None:
    mime_type, encoded = data.get("mimeType"), data.get("data")
    if isinstance(mime_type, str) and mime_type.startswith("image/") and isinstance(encoded, str):
        choice.images += 1
        out.append(Image(f"data:{mime_type};base64,{encoded}", choice.index))


def _attach(items: tuple[Json, ...], index: int, out: list[Event], first: int) -> None:
    """Puts a chunk's logprobs on its last text, or on an empty one of their own."""
    for position in range(len(out) - 1, first - 1, -1):
        event = out[position]
        if isinstance(event, Delta) and event.choice == index:
            out[position] = replace(event, logprobs=items)
            return
    out.append(Delta("", index, items))


def _written(args: Any) -> str:
    try:
        return orjson.dumps(args if isinstance(args, dict) else {}).decode()
    except (TypeError, ValueError):
        raise bad_response("it called a function with arguments nested too deep.") from None
