"""POST /v1/embeddings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastproxy.http import HttpRequest, Reply
from fastproxy.pipeline import Pipeline

PATHS = ("/v1/embeddings", "/embeddings", "/v1/v1/embeddings")


def handler(pipeline: Pipeline) -> Callable[[HttpRequest], Awaitable[Reply]]:
    """The handler of all of PATHS."""

    async def embeddings(request: HttpRequest) -> Reply:
        """Turn texts into vectors with any embedding model, in OpenAI's embeddings format."""
        return await pipeline.embed(request)

    return embeddings
