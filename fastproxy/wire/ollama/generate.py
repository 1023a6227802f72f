"""A text to go on with -> Ollama's native `POST /api/generate`, which fills gaps where the model can.

Source: Ollama's docs/api.md ("Generate a completion") and api/types.go (GenerateRequest).
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from fastproxy.types import ChatRequest, Deployment, Json, UpstreamRequest
from fastproxy.wire.ollama.request import build_request, encode, endpoint

_CHATS = ("messages", "tools")


def build_generate(request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
    """The request to /api/generate, with the settings that a chat would have. Raises ProxyError."""
    chat = build_request(request, deployment)
    settings = {name: value for name, value in orjson.loads(chat.body).items() if name not in _CHATS}
    text: Json = {name: request.extra[name] for name in ("prompt", "suffix") if name in request.extra}
    return replace(chat, url=endpoint(deployment.base_url, "generate"), body=encode({**settings, **text}))
