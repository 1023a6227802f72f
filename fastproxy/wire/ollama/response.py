"""Ollama's answer objects as events: the one reader for unary bodies and for the lines of a stream.

Source: Ollama's api/types.go (ChatResponse) and server/routes.go (ChatHandler): tool calls come whole and
with object arguments, counts stand in the last object only and are left out where they are 0.
"""

from __future__ import annotations

import re
import secrets

import orjson

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.events import (
    Completion,
    Delta,
    Event,
    Fault,
    Finish,
    Reasoning,
    ToolDelta,
    Usage,
    complete,
    count_of,
)
from fastproxy.wire.ndjson import NdjsonDecoder
from fastproxy.wire.ollama.errors import bad_response, error_of_text, text_of_error

TRUNCATED_PROMPT = "truncated_prompt"
"""`Finish.native` where the prompt filled the whole context: Ollama cut it before the model saw it."""

_LEGAL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class AnswerReader:
    """Reads the objects of one answer in their order. Raises UpstreamError for an error or garbage.

    A prompt that fills the context was cut by an older server. The text that was made from the rest is out
    already when a stream tells so, and no error can take it back: the answer then finishes as "length",
    which tells a client not to take it for whole, and `native` says why. A unary answer becomes an error.
    """

    def __init__(self, request: ChatRequest) -> None:
        self._window = request.context_window
        self._ids: set[str] = set()
        self._calls = 0
        self.done = False

    def read(self, line: bytes) -> list[Event]:
        """The events of one answer object, given as JSON."""
        try:
            payload = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise bad_response("the answer holds a line that is no JSON.") from error
        return self.events(payload)

    def events(self, payload: object) -> list[Event]:
        """The events of one answer object."""
        if not isinstance(payload, dict):
            raise bad_response("the answer holds a line that is no JSON object.")
        if payload.get("error") is not None:
            raise error_of_text(text_of_error(payload) or "an error without a text")
        found: list[Event] = []
        message = payload.get("message")
        if message is None and "response" in payload:  # /api/generate
            message = {"content": payload["response"], "thinking": payload.get("thinking")}
        if message is not None:
            self._add_message(message, payload.get("logprobs"), found)
        if payload.get("done") is True:
            self.done = True
            found += self._end(payload)
        return found

    def _add_message(self, message: object, logprobs: object, found: list[Event]) -> None:
        if not isinstance(message, dict):
            raise bad_response("`message` is no object.")
        thinking, content = _text(message, "thinking"), _text(message, "content")
        if thinking:
            found.append(Reasoning(thinking))
        # The tokens of thoughts have logprobs too, but OpenAI's list is about the content alone.
        chances = _logprobs(logprobs) if logprobs and (content or not thinking) else ()
        if content or chances:
            found.append(Delta(content, logprobs=chances))
        if calls := message.get("tool_calls"):
            if not isinstance(calls, list):
                raise bad_response("`tool_calls` is no list.")
            found += [self._call(call) for call in calls]

    def _call(self, call: object) -> ToolDelta:
        function = call.get("function") if isinstance(call, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(call, dict) or not isinstance(function, dict) or not isinstance(name, str):
            raise bad_response("a tool call has no name.")
        index, self._calls = self._calls, self._calls + 1
        return ToolDelta(index, _arguments(function.get("arguments")), self._id(call.get("id")), name)

    def _id(self, given: object) -> str:
        """The server's id if it is legal and new in this answer; older servers send none."""
        if not isinstance(given, str) or given in self._ids or not _LEGAL_ID.fullmatch(given):
            given = f"call_{secrets.token_hex(12)}"
        self._ids.add(given)
        return given

    def _end(self, payload: Json) -> tuple[Finish, Usage]:
        prompt, answer = _count(payload, "prompt_eval_count"), _count(payload, "eval_count")
        native = payload.get("done_reason")
        native = native if isinstance(native, str) else ""
        reason = "length" if native == "length" else "tool_calls" if self._calls else "stop"
        if self._window is not None and prompt >= self._window:
            reason, native = "length", TRUNCATED_PROMPT
        return Finish(reason, native=native), Usage(prompt, answer, prompt + answer)


def parse_response(request: ChatRequest, body: bytes) -> Completion:
    """The completion in a whole 200 body: one object, or NDJSON. Raises UpstreamError otherwise, also
    where the prompt was cut to fit (CONTEXT_LENGTH)."""
    reader = AnswerReader(request)
    completion = complete(_events(reader, body))
    if not reader.done:
        raise bad_response("the answer ended before it was done.")
    if any(choice.native_finish == TRUNCATED_PROMPT for choice in completion.choices):
        raise UpstreamError(
            ErrorKind.CONTEXT_LENGTH,
            f"Ollama: the prompt exceeds the context length of {request.context_window} tokens and was cut. "
            "Shorten the conversation, or raise the provider's `num_ctx`.",
        )
    return completion


def parse_object(body: bytes) -> Json:
    """The JSON object in the 200 body of any other call; raises UpstreamError for errors and garbage."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_response("the answer is no JSON.") from error
    if not isinstance(answer, dict):
        raise bad_response("the answer is no JSON object.")
    if (text := text_of_error(answer)) is not None:
        raise error_of_text(text)
    return answer


def end_of_stream() -> Fault:
    """The fault of a stream that ended without `done: true`."""
    return Fault(bad_response("the stream ended before the answer was done."))


def _events(reader: AnswerReader, body: bytes) -> list[Event]:
    try:
        return reader.events(orjson.loads(body))
    except orjson.JSONDecodeError:
        decoder = NdjsonDecoder()
        found: list[Event] = []
        for line in (*decoder.feed(body), *decoder.finish()):
            if not reader.done:
                found += reader.read(line)
        return found


def _text(message: Json, name: str) -> str:
    value = message.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise bad_response(f"`message.{name}` is no string.")
    return value


def _arguments(value: object) -> str:
    if isinstance(value, dict):
        try:
            return orjson.dumps(value).decode()
        except TypeError as error:  # nested deeper than orjson writes
            raise bad_response("the arguments of a tool call are nested too deeply.") from error
    if value is None or isinstance(value, str):  # some servers behind this API send the text itself
        return value if value and value.strip() else "{}"
    raise bad_response("the arguments of a tool call are no object.")


def _logprobs(items: object) -> tuple[Json, ...]:
    """OpenAI's `logprobs.content` items; Ollama's differ only in what they leave out."""
    if not isinstance(items, list):
        raise bad_response("`logprobs` is no list.")
    return tuple(
        {"bytes": None, **item, "top_logprobs": [{"bytes": None, **top} for top in _objects(item)]}
        for item in items
        if isinstance(item, dict)
    )


def _objects(item: Json) -> list[Json]:
    tops = item.get("top_logprobs")
    return [top for top in tops if isinstance(top, dict)] if isinstance(tops, list) else []


def _count(payload: Json, name: str) -> int:
    return count_of(payload.get(name)) or 0
