"""What a client speaks: a surface is a row of pure functions, as a provider is on the other side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.answer import Head, Renderer
from fastproxy.wire.anthropic import envelope
from fastproxy.wire.anthropic.message import render_message
from fastproxy.wire.anthropic.messages_request import outline, parse_messages_request
from fastproxy.wire.anthropic.messages_stream import MessagesRenderer
from fastproxy.wire.events import Completion
from fastproxy.wire.openai import responses_render
from fastproxy.wire.openai.chat_render import ChatRenderer, render_completion, render_error, stream_error
from fastproxy.wire.openai.chat_request import parse_chat
from fastproxy.wire.openai.completions_render import CompletionsRenderer, render_text_completion
from fastproxy.wire.openai.completions_request import parse_completions
from fastproxy.wire.openai.custom_calls import CustomCallsRenderer, unwrap_completion
from fastproxy.wire.openai.responses_request import parse_responses


@dataclass(frozen=True, slots=True)
class Surface:
    """One way in."""

    name: str
    parse: Callable[[Json], ChatRequest]
    """The canonical request in a JSON body; raises ProxyError naming the field."""
    render_completion: Callable[[Completion, Head, ChatRequest], bytes]
    """The body of a unary answer."""
    renderer: Callable[[Head, ChatRequest], Renderer]
    """The renderer of one stream."""
    render_error: Callable[[ProxyError, str], bytes]
    """(error, id of the request) -> the body of a refusal."""
    stream_error: Callable[[Head, ProxyError], bytes]
    """The event that ends a stream which broke; no end marker follows it."""
    id_prefix: str
    heartbeat: Callable[[Head, ChatRequest], bytes]
    """What is sent while nothing else flows."""
    outline: Callable[[Json], ChatRequest] | None = None
    """The model and the stream flag alone, where bodies may pass untouched: what our parser does not know in
    them is then no reason to refuse them. None: all bodies are parsed."""
    completes_texts: bool = False
    """It asks to go on with a text: providers that can do more than chat are asked for that."""
    id_header: str = ""
    """Where clients of this surface look for the request's id, beside `x-request-id`."""


def _chat_completion(completion: Completion, head: Head, request: ChatRequest) -> bytes:
    if request.custom_tools:
        completion = unwrap_completion(completion, request.custom_tools)
    return render_completion(completion, head.id, head.created, head.model)


def _chat_renderer(head: Head, request: ChatRequest) -> Renderer:
    renderer = ChatRenderer(head.id, head.created, head.model, request.include_usage)
    return CustomCallsRenderer(renderer, request.custom_tools) if request.custom_tools else renderer


CHAT = Surface(
    name="chat",
    parse=parse_chat,
    render_completion=_chat_completion,
    renderer=_chat_renderer,
    render_error=render_error,
    stream_error=lambda _head, error: stream_error(error),
    id_prefix="chatcmpl-",
    # A comment line and ONE newline: some clients' parsers fail on a comment followed by an empty line.
    heartbeat=lambda _head, _request: b": ping\n",
)
MESSAGES = Surface(
    name="messages",
    parse=parse_messages_request,
    render_completion=lambda completion, head, _request: render_message(completion, head),
    renderer=lambda head, _request: MessagesRenderer(head),
    render_error=envelope.render_error,
    stream_error=lambda _head, error: envelope.stream_error(error),
    id_prefix="msg_",
    heartbeat=lambda _head, _request: b'event: ping\ndata: {"type":"ping"}\n\n',
    outline=outline,
    id_header="request-id",
)
COMPLETIONS = Surface(
    name="completions",
    parse=parse_completions,
    render_completion=render_text_completion,
    renderer=CompletionsRenderer,
    render_error=render_error,
    stream_error=CHAT.stream_error,
    id_prefix="cmpl-",
    heartbeat=CHAT.heartbeat,
    completes_texts=True,
)
RESPONSES = Surface(
    name="responses",
    parse=parse_responses,
    render_completion=responses_render.render_response,
    renderer=responses_render.ResponsesRenderer,
    render_error=render_error,
    stream_error=responses_render.stream_error,
    id_prefix="resp_",
    heartbeat=responses_render.heartbeat,
)
