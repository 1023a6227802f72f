"""POST /v1/responses, and what is left of the rest of that API where nothing is stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastproxy.auth import Authenticator
from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.http import HttpRequest, Reply, StreamReply
from fastproxy.pipeline import Pipeline
from fastproxy.wire.surface import RESPONSES

PATHS = ("/v1/responses", "/responses", "/v1/v1/responses")


def handler(pipeline: Pipeline) -> Callable[[HttpRequest], Awaitable[Reply | StreamReply]]:
    """The handler of PATHS."""

    async def responses(request: HttpRequest) -> Reply | StreamReply:
        """Answer with any model, whole or as a stream, in OpenAI's Responses format; nothing is stored."""
        return await pipeline.answer(request, RESPONSES)

    return responses


def stored_handler(authenticator: Authenticator) -> Callable[[HttpRequest], Awaitable[Reply]]:
    """The handler of PATHS/{id}, to get and to delete."""

    async def stored_response(request: HttpRequest) -> Reply:
        """Always 404: responses are not stored here."""
        authenticator.identify(request.headers, request.address)
        raise ProxyError(
            ErrorKind.NOT_FOUND,
            "Responses are not stored here: keep what POST /v1/responses answers, and send the whole "
            "conversation in `input`.",
        )

    return stored_response
