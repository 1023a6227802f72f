"""What a client speaks: a surface is a row of pure functions, as a provider is on the other side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.answer import Renderer
from fastproxy.wire.anthropic import envelope
from fastproxy.wire.anthropic.message import render_message
from fastproxy.wire.anthropic.messages_request import outline, parse_messages_request
from fastproxy.wire.anthropic.messages_stream import MessagesRenderer
from fastproxy.wire.events import Completion
from fastproxy.wire.openai.chat_render import ChatRenderer, render_completion, render_error, stream_error
from fastproxy.wire.openai.chat_request import parse_chat


@dataclass(frozen=True, slots=True)
class Surface:
    """One way in."""

    name: str
    parse: Callable[[Json], ChatRequest]
    """The canonical request in a JSON body; raises ProxyError naming the field."""
    render_completion: Callable[[Completion, str, int, str], bytes]
    """(completion, id, created, model) -> the body of a unary answer."""
    renderer: Callable[[str, int, str, bool], Renderer]
    """(id, created, model, include_usage) -> the renderer of one stream."""
    render_error: Callable[[ProxyError, str], bytes]
    """(error, id of the request) -> the body of a refusal."""
    stream_error: Callable[[ProxyError], bytes]
    """The event that ends a stream which broke; no end marker follows it."""
    id_prefix: str
    heartbeat: bytes
    """Sent while nothing else flows. For chat a comment line and ONE newline: some clients' parsers fail on a
    comment followed by an empty line."""
    outline: Callable[[Json], ChatRequest] | None = None
    """The model and the stream flag alone, where bodies may pass untouched: what our parser does not know in
    them is then no reason to refuse them. None: all bodies are parsed."""
    id_header: str = ""
    """Where clients of this surface look for the request's id, beside `x-request-id`."""


CHAT = Surface(
    name="chat",
    parse=parse_chat,
    render_completion=render_completion,
    renderer=ChatRenderer,
    render_error=render_error,
    stream_error=stream_error,
    id_prefix="chatcmpl-",
    heartbeat=b": ping\n",
)
MESSAGES = Surface(
    name="messages",
    parse=parse_messages_request,
    render_completion=render_message,
    renderer=MessagesRenderer,
    render_error=envelope.render_error,
    stream_error=envelope.stream_error,
    id_prefix="msg_",
    heartbeat=b'event: ping\ndata: {"type":"ping"}\n\n',
    outline=outline,
    id_header="request-id",
)
