"""POST /openai/deployments/{deployment}/chat/completions: a chat as clients of Azure OpenAI ask for it.

The deployment is the model; `api-version` says nothing to us, and the key may stand in `api-key`.
Source: Azure OpenAI's REST reference, "Chat completions - Create".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from fastproxy.http import HttpRequest, Reply, StreamReply
from fastproxy.pipeline import Pipeline
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.surface import CHAT

PATHS = tuple(f"{base}/openai/deployments/*deployment/chat/completions" for base in ("", "/v1"))
"""A deployment's name may hold slashes, as a model's may."""


def handler(pipeline: Pipeline) -> Callable[[HttpRequest], Awaitable[Reply | StreamReply]]:
    """The handler of all of PATHS."""

    async def deployment_chat_completions(request: HttpRequest) -> Reply | StreamReply:
        """Chat with the model that the path names, whatever the body says."""
        model = request.path_params["deployment"]

        def parse(body: Json) -> ChatRequest:
            return CHAT.parse({**body, "model": model})

        return await pipeline.answer(request, replace(CHAT, parse=parse))

    return deployment_chat_completions
