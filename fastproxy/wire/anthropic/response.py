"""A whole Messages answer as a completion.

Source: Anthropic's Messages reference; SDK type Message.
"""

from __future__ import annotations

import orjson

from fastproxy.errors import ErrorKind
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.anthropic.errors import Source, error_in_answer, make_error
from fastproxy.wire.anthropic.stream import MessageReader
from fastproxy.wire.events import Completion, Event, complete


def parse_response(source: Source, request: ChatRequest, body: bytes) -> Completion:
    """The completion in a 200 body. Raises UpstreamError where it holds an error or no message."""
    events: list[Event] = []
    MessageReader(request, source).whole(read_message(source, body), events)
    return complete(events)


def read_message(source: Source, body: bytes) -> Json:
    """The message in a 200 body, its `content` a list. Raises UpstreamError for an error or garbage."""
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise make_error(source, ErrorKind.BAD_RESPONSE, "the answer is not JSON.", 200) from error
    if not isinstance(message, dict):
        raise make_error(source, ErrorKind.BAD_RESPONSE, "the answer is not a JSON object.", 200)
    fault = error_in_answer(source, message)
    if fault is not None:
        raise fault
    if not isinstance(message.get("content"), list):
        raise make_error(source, ErrorKind.BAD_RESPONSE, "the answer has no content.", 200)
    return message
