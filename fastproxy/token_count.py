"""Asks a provider how many tokens a Messages body is, where one counts them."""

from __future__ import annotations

import orjson

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.http import HttpRequest
from fastproxy.observability.record import RequestRecord
from fastproxy.providers import PROVIDERS
from fastproxy.providers.contract import Provider
from fastproxy.resilience.attempts import Attempts
from fastproxy.resilience.turns import Turn
from fastproxy.types import ChatRequest, Deployment, Headers, Json, Route, UpstreamRequest
from fastproxy.upstream.contract import UpstreamResponse

MAX_ANSWER_BYTES = 64 * 1024
_NO_SUCH_PLACE = (404, 405, 501)
"""Servers that only imitate Anthropic's have no place for this question."""


async def count_tokens(
    http: HttpRequest, body: Json, route: Route, record: RequestRecord, attempts: Attempts, headers: Headers
) -> bytes | None:
    """The provider's own answer, as it is; None where nobody counts. Raises ProxyError."""
    first = route.deployments[0]
    native_count = PROVIDERS[first.kind].native_count
    if native_count is None:
        return None

    def build(_provider: Provider, _request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
        return native_count(http.body, body, http.headers, deployment)

    try:
        return await attempts.first_success(
            Route(route.model, route.canonical, (first,)),
            ChatRequest(route.model, messages=()),
            record,
            _read,
            lambda _request: None,
            headers,
            build,
        )
    except UpstreamError as error:
        if error.upstream_status in _NO_SUCH_PLACE:
            return None
        raise


async def _read(
    _provider: Provider,
    deployment: Deployment,
    _request: ChatRequest,
    response: UpstreamResponse,
    _turn: Turn,
) -> bytes:
    answer = await response.read_all(MAX_ANSWER_BYTES)
    await response.aclose()
    try:
        counted = orjson.loads(answer)
    except orjson.JSONDecodeError:
        counted = None
    if not isinstance(counted, dict) or type(counted.get("input_tokens")) is not int:
        raise UpstreamError(ErrorKind.BAD_RESPONSE, f"{deployment.provider} did not count the tokens.")
    return answer
