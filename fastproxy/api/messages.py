"""POST /v1/messages and /v1/messages/count_tokens; queries such as `?beta=true` say nothing to us."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastproxy.api.models import speaks_anthropic
from fastproxy.http import HttpRequest, Reply, StreamReply
from fastproxy.pipeline import Pipeline
from fastproxy.wire.surface import CHAT, MESSAGES, Surface

PATHS = tuple(f"{base}/messages" for base in ("/v1", "", "/v1/v1"))
"""What clients make of a base URL with and without `/v1`."""


def handlers(
    pipeline: Pipeline,
) -> tuple[
    Callable[[HttpRequest], Awaitable[Reply | StreamReply]], Callable[[HttpRequest], Awaitable[Reply]]
]:
    """The handlers of PATHS, and of PATHS/count_tokens."""

    async def create_message(request: HttpRequest) -> Reply | StreamReply:
        """Talk with any model, whole or as a stream, in Anthropic's Messages format."""
        return await pipeline.answer(request, MESSAGES)

    async def count_tokens(request: HttpRequest) -> Reply:
        """How many input tokens a Messages body is: counted by Anthropic, else estimated."""
        return await pipeline.count_tokens(request)

    return create_message, count_tokens


def surface_of(request: HttpRequest) -> Surface:
    """The surface in whose words this request is refused, wherever that happens."""
    asks_messages = speaks_anthropic(request) or request.path.startswith(PATHS)
    return MESSAGES if asks_messages else CHAT
