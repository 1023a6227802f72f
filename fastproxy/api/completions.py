"""POST /v1/completions: the old API, which editors still use to fill gaps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastproxy.http import HttpRequest, Reply, StreamReply
from fastproxy.pipeline import Pipeline
from fastproxy.wire.surface import COMPLETIONS

PATHS = ("/v1/completions", "/completions", "/v1/v1/completions", "/v1/fim/completions")


def handler(pipeline: Pipeline) -> Callable[[HttpRequest], Awaitable[Reply | StreamReply]]:
    """The handler of PATHS."""

    async def text_completions(request: HttpRequest) -> Reply | StreamReply:
        """Go on with a text, or fill a gap in it, with any model."""
        return await pipeline.answer(request, COMPLETIONS)

    return text_completions
