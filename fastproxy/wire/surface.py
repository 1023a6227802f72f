"""What a client speaks: a surface is a row of pure functions, as a provider is on the other side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.answer import Renderer
from fastproxy.wire.events import Completion
from fastproxy.wire.openai.chat_render import ChatRenderer, render_completion, render_error
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
    render_error: Callable[[ProxyError], bytes]
    id_prefix: str
    heartbeat: bytes
    """Sent while nothing else flows. For chat a comment line and ONE newline: some clients' parsers fail on a
    comment followed by an empty line."""


CHAT = Surface(
    name="chat",
    parse=parse_chat,
    render_completion=render_completion,
    renderer=ChatRenderer,
    render_error=render_error,
    id_prefix="chatcmpl-",
    heartbeat=b": ping\n",
)
