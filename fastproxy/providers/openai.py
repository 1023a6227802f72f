"""Any server that speaks OpenAI's Chat Completions: requests and answers pass as they are.

Source: OpenAI's API reference, "Create chat completion" and "Create embeddings".
"""

from __future__ import annotations

from fastproxy.providers.contract import Listing, Provider, TextCompletion
from fastproxy.types import ChatRequest, Deployment, Headers, Json, ToolChoice, UpstreamRequest
from fastproxy.wire.openai.calls import encode
from fastproxy.wire.openai.chat_response import parse_response
from fastproxy.wire.openai.chat_stream import translate_stream
from fastproxy.wire.openai.completions_answer import CompletionsTranslator, parse_text_completion
from fastproxy.wire.openai.errors import parse_error
from fastproxy.wire.openai.models import parse_models
from fastproxy.wire.openai.passthrough import ChatPassthrough
from fastproxy.wire.openai.whole_answer import pass_completion


def build_request(request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
    """The request to /chat/completions, fields that only this server may know among them."""
    body: Json = {
        **request.extra,
        **request.parameters,
        "model": deployment.model,
        "messages": request.messages,
        **stream_fields(request),
        **tool_fields(request.tools, request.tool_choice),
    }
    return UpstreamRequest(chat_url(deployment), encode(body), headers_of(deployment))


def build_completion(request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
    """The request to /completions."""
    base_url = deployment.base_url.removesuffix("/chat/completions")
    body: Json = {
        **request.extra,
        **request.parameters,
        "model": deployment.model,
        **stream_fields(request),
    }
    return UpstreamRequest(f"{base_url}/completions", encode(body), headers_of(deployment))


def build_embeddings(body: Json, deployment: Deployment) -> UpstreamRequest:
    """The client's own request to /embeddings, but for the model's name."""
    url = deployment.base_url.removesuffix("/chat/completions") + "/embeddings"
    return UpstreamRequest(url, encode({**body, "model": deployment.model}), headers_of(deployment))


def chat_url(deployment: Deployment) -> str:
    """The address of /chat/completions; a base URL that already ends in it is left as it is."""
    return deployment.base_url.removesuffix("/chat/completions") + "/chat/completions"


def headers_of(deployment: Deployment) -> Headers:
    """The headers of every request to this deployment."""
    return (("content-type", "application/json"), *deployment.headers)


def stream_fields(request: ChatRequest) -> Json:
    """Usage is always asked for, for our own accounts; who did not ask does not see it."""
    return {"stream": True, "stream_options": {"include_usage": True}} if request.stream else {}


def tool_fields(tools: tuple[Json, ...], choice: ToolChoice | None) -> Json:
    """`tools` and `tool_choice`; where the choice is among some tools, only they are offered: OpenAI's own
    `allowed_tools` is known to few servers."""
    if not tools:
        return {}
    if choice is None:
        return {"tools": tools}
    if choice.mode == "required" and len(choice.names) == 1:
        named = {"type": "function", "function": {"name": choice.names[0]}}
        return {"tools": tools, "tool_choice": named}
    offered = [tool for tool in tools if not choice.names or tool["function"]["name"] in choice.names]
    return {"tools": offered, "tool_choice": choice.mode}


OPENAI = Provider(
    build_request=build_request,
    parse_response=parse_response,
    translate_stream=translate_stream,
    parse_error=parse_error,
    native_surface="chat",
    native_stream=ChatPassthrough,
    native_response=pass_completion,
    native_embeddings=build_embeddings,
    text_completion=TextCompletion(build_completion, parse_text_completion, CompletionsTranslator),
    listing=Listing("/models", parse_models),
    strips_prefix=True,
)
