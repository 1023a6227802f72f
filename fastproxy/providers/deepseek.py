"""DeepSeek: OpenAI's format with fewer parameters, a thinking switch, and thoughts that must be given back.

Source: DeepSeek's API reference ("Create chat completion", "Error codes") and its guide to the thinking mode.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from fastproxy.errors import Repair, UpstreamError
from fastproxy.providers.contract import TextCompletion
from fastproxy.providers.deepseek_messages import add_schema, build_messages
from fastproxy.providers.openai import OPENAI, chat_url, headers_of, stream_fields, tool_fields
from fastproxy.types import ChatRequest, Deployment, Dropped, Json, ToolChoice, UpstreamRequest
from fastproxy.wire.openai import errors
from fastproxy.wire.openai.calls import encode
from fastproxy.wire.openai.completions_answer import CompletionsTranslator, parse_text_completion
from fastproxy.wire.openai.faults import invalid

NO_THINKING = "deepseek.no_thinking"
"""Repair: the thoughts that DeepSeek wants back are lost, so this request does without thinking."""

_EFFORTS = {
    "minimal": "low",
    "low": "low",
    "medium": "high",
    "high": "high",
    "xhigh": "high",
    "max": "max",
    "ultra": "max",
}
_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_LOGPROBS = ("logprobs", "top_logprobs")
_SENT = (*_SAMPLING, *_LOGPROBS, "stop")
_TRANSLATED = ("max_tokens", "max_completion_tokens", "reasoning_effort", "response_format")
_USER = ("safety_identifier", "user")
_HARMLESS: Json = {"n": (1,), "modalities": (["text"],), "parallel_tool_calls": (True,), "store": (False,)}
_OF_TEXTS = (*_SAMPLING, "stop", "max_tokens")
_LOST_REASONING = re.compile(r"must be passed back|missing reasoning_content", re.IGNORECASE)


def build_request(request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
    """The request to /chat/completions. Raises ProxyError for what DeepSeek cannot take (images, audio)."""
    dropped: list[Dropped] = []
    switch, thinking = _thinking(request, deployment.model)
    messages = build_messages(request, thinking)
    body: Json = {
        "model": deployment.model,
        "messages": add_schema(messages, request.parameters.get("response_format")),
        **switch,
        **_parameters(request, thinking, dropped),
        **stream_fields(request),
        **_tools(request, thinking, deployment, dropped),
    }
    return UpstreamRequest(chat_url(deployment), encode(body), headers_of(deployment), dropped=tuple(dropped))


def _thinking(request: ChatRequest, model: str) -> tuple[Json, bool]:
    """(the fields that switch thinking, whether the model will think)."""
    if NO_THINKING in request.repairs:
        return {"thinking": {"type": "disabled"}}, False
    wanted = request.extra.get("thinking")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    effort = request.parameters.get("reasoning_effort")
    if effort is not None and effort not in _EFFORTS and effort != "none":
        known = ", ".join(("none", *_EFFORTS))
        raise invalid("reasoning_effort", f"`reasoning_effort` must be one of: {known}.")
    if kind == "disabled" or (kind is None and effort == "none"):
        return {"thinking": {"type": "disabled"}}, False
    if kind is None and effort is None:
        return {}, "chat" not in model  # the newer models think unless told not to
    fields: Json = {"thinking": {"type": "enabled"}}
    if effort in _EFFORTS:
        fields["reasoning_effort"] = _EFFORTS[effort]
    return fields, True


def _parameters(request: ChatRequest, thinking: bool, dropped: list[Dropped]) -> Json:
    given, made = request.parameters, {}
    for name, value in given.items():
        if name in _SENT:
            if thinking and name != "stop":
                dropped.append(Dropped(name, "DeepSeek ignores or refuses it while it thinks"))
            else:
                made[name] = value
        elif name in ("audio", "modalities") and value not in _HARMLESS.get(name, ()):
            raise invalid(name, f"DeepSeek answers with text only: leave `{name}` out.")
        elif name not in _TRANSLATED + _USER and value not in _HARMLESS.get(name, ()):
            dropped.append(Dropped(name, "DeepSeek has no such parameter"))
    limit = request.max_output_tokens()
    if limit is not None:
        made["max_tokens"] = limit
    for name in _USER:
        if given.get(name):
            made.setdefault("user_id", re.sub(r"[^A-Za-z0-9_-]", "_", given[name])[:512])
    if given.get("response_format", {}).get("type") in ("json_object", "json_schema"):
        made["response_format"] = {"type": "json_object"}
    return made


def _tools(request: ChatRequest, thinking: bool, deployment: Deployment, dropped: list[Dropped]) -> Json:
    choice = request.tool_choice
    if thinking and choice is not None and choice.mode == "required":
        dropped.append(Dropped("tool_choice", "DeepSeek cannot be forced to call a tool while it thinks"))
        choice = ToolChoice("auto", choice.names)
    # Only the beta address knows strict tools.
    kept = ("name", "description", "parameters") + (
        ("strict",) if deployment.base_url.endswith("/beta") else ()
    )
    tools = tuple(
        {
            "type": "function",
            "function": {name: tool["function"][name] for name in kept if name in tool["function"]},
        }
        for tool in request.tools
    )
    return tool_fields(tools, choice)


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The error of a non-2xx answer; lost thoughts come with a repair."""
    error = errors.parse_error(status, headers, body)
    if status == 400 and _LOST_REASONING.search(error.message):
        error.repair = Repair(NO_THINKING)
    return error


def build_completion(request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
    """The request to the beta address, the only one that goes on with texts and fills gaps."""
    dropped: list[Dropped] = []
    made = _parameters(request, thinking=False, dropped=dropped)
    kept = {name: value for name, value in made.items() if name in _OF_TEXTS}
    text: Json = {name: request.extra[name] for name in ("prompt", "suffix") if name in request.extra}
    body: Json = {**text, **kept, "model": deployment.model, **stream_fields(request)}
    base_url = re.sub(r"(/v1|/beta)?\Z", "/beta", deployment.base_url, count=1)
    return UpstreamRequest(
        f"{base_url}/completions", encode(body), headers_of(deployment), dropped=tuple(dropped)
    )


DEEPSEEK = replace(
    OPENAI,
    build_request=build_request,
    parse_error=parse_error,
    native_embeddings=None,
    text_completion=TextCompletion(build_completion, parse_text_completion, CompletionsTranslator),
    strips_prefix=False,
)
