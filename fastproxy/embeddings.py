"""How a request for embeddings is answered: always whole, by the same attempts as a chat.

An upstream that speaks OpenAI's embeddings gets the client's own body, token numbers and all, and its answer
passes; the others get texts and give vectors.
"""

from __future__ import annotations

import time
from dataclasses import replace

from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.observability.record import RequestRecord
from fastproxy.providers import PROVIDERS
from fastproxy.providers.contract import Provider
from fastproxy.resilience.attempts import Attempts
from fastproxy.resilience.turns import Turn
from fastproxy.routing import Router
from fastproxy.types import ChatRequest, Deployment, Headers, Json, Route, UpstreamRequest
from fastproxy.upstream.contract import UpstreamResponse
from fastproxy.wire.events import Usage
from fastproxy.wire.openai.embeddings import parse_embeddings_request, pass_embeddings, render_embeddings

MAX_ANSWER_BYTES = 256 * 1024 * 1024


async def embed(
    body: Json, route: Route, record: RequestRecord, attempts: Attempts, headers: Headers, router: Router
) -> bytes:
    """The body of the answer. Raises ProxyError."""

    def build(provider: Provider, _request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
        if provider.native_embeddings:
            return provider.native_embeddings(body, deployment)
        if provider.build_embeddings is None:
            raise _no_embeddings(route.model, deployment.provider, router)
        asked = parse_embeddings_request(body)
        return provider.build_embeddings(deployment.model, list(asked.inputs), asked.dimensions, deployment)

    async def read(
        provider: Provider,
        _deployment: Deployment,
        _request: ChatRequest,
        response: UpstreamResponse,
        _turn: Turn,
    ) -> tuple[bytes, Usage | None]:
        began = time.monotonic()
        answer = await response.read_all(MAX_ANSWER_BYTES)
        record.waited_seconds += time.monotonic() - began
        await response.aclose()
        if provider.parse_embeddings is None:
            return pass_embeddings(answer, route.model)
        vectors, tokens = provider.parse_embeddings(answer)
        asked = parse_embeddings_request(body)
        if len(vectors) != len(asked.inputs):
            raise UpstreamError(
                ErrorKind.BAD_RESPONSE,
                f"{record.provider} gave {len(vectors)} vectors for {len(asked.inputs)} texts.",
            )
        rendered = render_embeddings(vectors, route.model, tokens, asked.encoding_format)
        return rendered, Usage(tokens, 0, tokens)

    envelope = ChatRequest(route.model, messages=())  # what the attempts note about a request: its repairs
    alone = replace(route, deployments=route.deployments[:1])  # another model's vectors mean something else
    answer, record.usage = await attempts.first_success(
        alone, envelope, record, read, lambda _request: None, headers, build
    )
    return answer


def _no_embeddings(model: str, provider: str, router: Router) -> ProxyError:
    able = [entry.name for entry in router.entries.values() if not entry.off_reason and _has(entry.template)]
    others = f"these have: {', '.join(able)}" if able else "no provider that is on has"
    return ProxyError(
        ErrorKind.MODEL_NOT_FOUND,
        f"The model {model!r} gives no embeddings: its provider {provider!r} has none; {others}.",
        param="model",
    )


def _has(deployment: Deployment) -> bool:
    provider = PROVIDERS[deployment.kind]
    return bool(provider.native_embeddings or provider.build_embeddings)
