"""One OpenAI chat request as the body of Anthropic's Messages API; where it is sent is the provider's matter.

Source: Anthropic's Messages reference; SDK type MessageCreateParams.
"""

from __future__ import annotations

from typing import NamedTuple

from fastproxy.types import ChatRequest, Dropped, Json
from fastproxy.wire.anthropic.answer_format import apply_format
from fastproxy.wire.anthropic.models import Model, model_named
from fastproxy.wire.anthropic.parameters import other_fields, sampling_fields
from fastproxy.wire.anthropic.thinking import ThinkingFields, thinking_fields, thoughts_of
from fastproxy.wire.anthropic.tools import ToolFields, declare_used, tool_fields, wire_names
from fastproxy.wire.anthropic.turns import Conversation, conversation
from fastproxy.wire.anthropic.values import object_of

_WEB_SEARCH = {"type": "web_search_20250305", "name": "web_search"}


class MessagesBody(NamedTuple):
    """The body, and what of the request it cannot say."""

    body: Json
    dropped: tuple[Dropped, ...]


def messages_body(request: ChatRequest, model_name: str) -> MessagesBody:
    """The Messages body for this request at the model of that name (`model` and `stream` included)."""
    model = model_named(model_name)
    max_tokens = _max_tokens(request, model)
    names = wire_names(request.tools)
    talk = conversation(request.messages, names, lambda message: thoughts_of(message, request))
    tools = tool_fields(request, model, names)
    declare_used(tools, talk.called)
    answer_format, undone = apply_format(request, model, tools)
    _search_web(request, tools)
    thinking = thinking_fields(request, model, max_tokens)
    _reconcile(thinking, tools, talk, model)
    sampling, unsampled = sampling_fields(request, model, thinking.is_on())
    others, untold = other_fields(request)
    body = {"model": model_name, "max_tokens": max_tokens, "messages": _messages(talk, thinking, model)}
    optional = {
        "system": talk.system,
        "tools": tools.tools,
        "tool_choice": tools.choice,
        "thinking": thinking.thinking,
        "output_config": _output_config(request, thinking, answer_format),
        "stream": request.stream,
    }
    body |= {key: value for key, value in optional.items() if value}
    dropped = (*tools.dropped, *undone, *thinking.dropped, *unsampled, *untold)
    return MessagesBody({**body, **sampling, **others}, dropped)


def _max_tokens(request: ChatRequest, model: Model) -> int:
    """The client's limit; else the model's default, with room for the thinking the client asked for."""
    limit = request.max_output_tokens()
    if limit is not None:
        return limit
    budget = object_of(request.extra.get("thinking")).get("budget_tokens")
    return model.default_max_tokens + (budget if isinstance(budget, int) else 0)


def _search_web(request: ChatRequest, tools: ToolFields) -> None:
    options = request.parameters.get("web_search_options")
    if not isinstance(options, dict):
        return
    location = object_of(object_of(options.get("user_location")).get("approximate"))
    search = (
        {**_WEB_SEARCH, "user_location": {**location, "type": "approximate"}} if location else _WEB_SEARCH
    )
    tools.tools = [*tools.tools, search]


def _reconcile(thinking: ThinkingFields, tools: ToolFields, talk: Conversation, model: Model) -> None:
    """Thinking with a budget excludes forced tools and unsigned tool loops; the conversation goes first."""
    if not thinking.needs_signed_loop():
        return
    if tools.forces():
        thinking.switch_off(model, "this model cannot think when it is forced to call a tool")
    elif not talk.loop_is_signed():
        thinking.switch_off(model, "the thoughts that began this tool loop are not known any more")


def _messages(talk: Conversation, thinking: ThinkingFields, model: Model) -> list[Json]:
    """Thoughts are sent back only to a model that thinks in this request."""
    silent = not thinking.is_on() and (thinking.thinking is not None or model.thinking != "adaptive")
    return talk.without_thoughts() if silent else talk.messages


def _output_config(request: ChatRequest, thinking: ThinkingFields, answer_format: Json | None) -> Json:
    config = {"effort": thinking.effort, "format": answer_format}
    known = {key: value for key, value in config.items() if value is not None}
    return {**known, **object_of(request.extra.get("output_config"))}
