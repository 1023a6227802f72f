"""POST /v1/chat/completions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastproxy.http import HttpRequest, Reply, StreamReply
from fastproxy.pipeline import Pipeline
from fastproxy.wire.surface import CHAT

PATHS = tuple(f"{base}/chat/completions" for base in ("/v1", "", "/v1/v1", "/cursor", "/cursor/v1"))
"""What clients make of a base URL with and without `/v1`."""


def handler(pipeline: Pipeline) -> Callable[[HttpRequest], Awaitable[Reply | StreamReply]]:
    """The handler of all of PATHS."""

    async def chat_completions(request: HttpRequest) -> Reply | StreamReply:
        """Chat with any model, whole or as a stream, in OpenAI's Chat Completions format."""
        return await pipeline.answer(request, CHAT)

    return chat_completions
