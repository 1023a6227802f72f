"""Claude, three ways: Anthropic's API, the bridge over the claude CLI, and Vertex AI. One wire format.

Sources: Anthropic's Messages reference and "Claude on Vertex AI" (the model is in the URL, the version in the
body; everything else is the same).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from fastproxy.providers.claude_bridge import bridge_state, bridge_trouble
from fastproxy.providers.contract import BuildRequest, Listing, NativeBuild, Provider
from fastproxy.types import ChatRequest, Deployment, Headers, Json, UpstreamRequest
from fastproxy.wire.anthropic.errors import Source, parse_error
from fastproxy.wire.anthropic.native_body import native_body, signed_message
from fastproxy.wire.anthropic.passthrough import MessagesPassthrough, pass_message
from fastproxy.wire.anthropic.request import messages_body
from fastproxy.wire.anthropic.response import parse_response
from fastproxy.wire.anthropic.stream import MessagesTranslator
from fastproxy.wire.anthropic.values import encode
from fastproxy.wire.openai.models import parse_models
from fastproxy.wire.vertex import model_url

API_VERSION = "2023-06-01"
VERTEX_VERSION = "vertex-2023-10-16"
_FORWARDED = ("anthropic-version", "anthropic-beta")
"""Headers of a client's own Messages request that go on to the upstream."""


def build_request(request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
    """The request to a Messages API: Anthropic's own, or the bridge's."""
    body, dropped = messages_body(request, deployment.model)
    headers = _api_headers(_beta_header(request), deployment)
    return UpstreamRequest(_api_url(deployment), encode(body), headers, dropped=dropped)


def build_vertex_request(request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
    """The request to Claude on Vertex AI (the credential is added at sending)."""
    body, dropped = messages_body(request, deployment.model)
    headers = _headers(_beta_header(request), deployment)
    url = _vertex_url(deployment, deployment.model, stream=request.stream)
    return UpstreamRequest(url, encode(_vertex_body(body)), headers, dropped=dropped)


def native_request(
    body: bytes, message: Json, headers: Mapping[str, str], deployment: Deployment
) -> UpstreamRequest:
    """A client's own Messages request for the API or the bridge: its bytes untouched but for the model.

    `message` is the decoded body; `headers` have lower-case names.
    """
    sent = native_body(body, message, deployment.model)
    return UpstreamRequest(_api_url(deployment), sent, _api_headers(_forwarded(headers), deployment))


def native_count(
    body: bytes, message: Json, headers: Mapping[str, str], deployment: Deployment
) -> UpstreamRequest:
    """The request that asks Anthropic how many tokens a client's own body is."""
    asked = native_request(body, message, headers, deployment)
    return replace(asked, url=f"{asked.url}/count_tokens")


def native_vertex_request(
    body: bytes, message: Json, headers: Mapping[str, str], deployment: Deployment
) -> UpstreamRequest:
    """A client's own Messages request for Claude on Vertex AI: see `native_request`."""
    url = _vertex_url(deployment, deployment.model, stream=message.get("stream") is True)
    sent = _vertex_body(signed_message(body, message))
    return UpstreamRequest(url, encode(sent), _headers(_beta(headers), deployment))


def native_vertex_count(
    body: bytes, message: Json, headers: Mapping[str, str], deployment: Deployment
) -> UpstreamRequest:
    """The request that asks Vertex AI how many tokens a client's own body is (there the model is in it)."""
    sent = {**_vertex_body(signed_message(body, message)), "model": deployment.model}
    url = _vertex_url(deployment, "count-tokens", stream=False)
    return UpstreamRequest(url, encode(sent), _headers(_beta(headers), deployment))


def _api_url(deployment: Deployment) -> str:
    return f"{deployment.base_url}/v1/messages"


def _vertex_url(deployment: Deployment, model: str, *, stream: bool) -> str:
    method = "streamRawPredict" if stream else "rawPredict"
    return model_url(replace(deployment, model=model), method, "anthropic", "v1")


def _vertex_body(message: Json) -> Json:
    rest = {key: value for key, value in message.items() if key != "model"}
    return {**rest, "anthropic_version": VERTEX_VERSION}


def _api_headers(extra: Mapping[str, str], deployment: Deployment) -> Headers:
    return _headers({"anthropic-version": API_VERSION, **extra}, deployment)


def _headers(extra: Mapping[str, str], deployment: Deployment) -> Headers:
    """Content type, then `extra`, then the deployment's own, each name once: the deployment's wins."""
    return tuple({"content-type": "application/json", **extra, **dict(deployment.headers)}.items())


def _beta_header(request: ChatRequest) -> dict[str, str]:
    asked = request.extra.get("anthropic_beta")
    features = [asked] if isinstance(asked, str) else asked if isinstance(asked, list) else []
    named = ",".join(feature for feature in features if _is_header_value(feature))
    return {"anthropic-beta": named} if named else {}


def _is_header_value(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and bool(value.strip())


def _forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _FORWARDED if headers.get(name)}


def _beta(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in _forwarded(headers).items() if name == "anthropic-beta"}


def _provider(
    build: BuildRequest,
    source: Source,
    native: NativeBuild = native_request,
    count: NativeBuild | None = native_count,
) -> Provider:
    return Provider(
        build_request=build,
        parse_response=partial(parse_response, source),
        translate_stream=partial(MessagesTranslator, source=source),
        parse_error=partial(parse_error, source),
        native_surface="messages",
        native_build=native,
        native_count=count,
        native_stream=partial(MessagesPassthrough, source=source),
        native_response=partial(pass_message, source),
        auth_header=("x-api-key", ""),
    )


_LISTING = Listing("/v1/models?limit=1000", parse_models, (("anthropic-version", API_VERSION),))

ANTHROPIC = replace(
    _provider(
        build_request,
        Source("Anthropic", "check ANTHROPIC_API_KEY, or `api_key` of the provider"),
    ),
    listing=_LISTING,
)
CLAUDE_CLI = replace(
    _provider(
        build_request,
        Source("Claude CLI", "run `claude` in a terminal and log in"),
        count=None,
    ),
    listing=Listing(
        "/health",
        lambda _body: [],  # its models are configured; this one question tells how it fares
        product="the bridge to the claude CLI",
        start="it starts with `fastproxy serve`; see its lines in the log",
        trouble=bridge_trouble,
        state=bridge_state,
        watch_seconds=5.0,
    ),
    auth_header=("x-fastproxy-bridge-secret", ""),
    deadline_header="x-fastproxy-deadline-ms",
)
VERTEX_CLAUDE = _provider(
    build_vertex_request,
    Source("Claude on Vertex AI", "run `gcloud auth application-default login`, or check `credentials_file`"),
    native_vertex_request,
    native_vertex_count,
)
