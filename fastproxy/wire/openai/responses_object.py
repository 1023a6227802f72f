"""The `response` object of OpenAI's Responses API: what was asked, what came of it, what it cost.

Source: `openai` Python SDK 3.54, `types/responses/response.py`, `response_usage.py`, `response_error.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.answer import Head
from fastproxy.wire.events import Usage

_CODES = frozenset(
    kind.value.code
    for kind in (ErrorKind.RATE_LIMITED, ErrorKind.INSUFFICIENT_QUOTA, ErrorKind.CONTEXT_LENGTH)
)
"""What clients of this API look for in a failed response; all else is a "server_error"."""
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def response_json(
    head: Head,
    request: ChatRequest,
    status: str,
    output: Sequence[Json] = (),
    *,
    usage: Usage | None = None,
    error: ProxyError | None = None,
    finish: str = "stop",
) -> Json:
    """A response in this state; `finish` is the chat's word for why it ended."""
    given, reason = request.parameters, _INCOMPLETE.get(finish)
    return {
        "id": head.id,
        "object": "response",
        "created_at": head.created,
        "status": status,
        "background": False,
        "error": None if error is None else _error(error),
        "incomplete_details": {"reason": reason} if status == "incomplete" else None,
        "instructions": None,
        "max_output_tokens": request.max_output_tokens(),
        "metadata": given.get("metadata") or {},
        "model": head.model,
        "output": output,
        "parallel_tool_calls": given.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": {"effort": given.get("reasoning_effort"), "summary": None},
        "store": False,
        "temperature": given.get("temperature"),
        "text": _text(given),
        "tool_choice": _tool_choice(request),
        "tools": [_tool(tool, request.custom_tools) for tool in request.tools],
        "top_p": given.get("top_p"),
        "truncation": "disabled",
        "usage": None if usage is None else usage_json(usage),
        "user": given.get("user"),
    }


def final_status(finish: str) -> str:
    """The state of a response, or of its last item, that ended so."""
    return "incomplete" if finish in _INCOMPLETE else "completed"


def usage_json(usage: Usage) -> Json:
    """The counts; the SDK demands all of them, so those that the provider did not tell are 0."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": usage.total_tokens,
    }


def _error(error: ProxyError) -> Json:
    code = error.code if error.code in _CODES else "server_error"
    return {"code": code, "message": error.message}


def _text(given: Json) -> Json:
    wanted = given.get("response_format") or {"type": "text"}
    described = wanted.get("json_schema") or {}
    text: Json = {"format": {"type": wanted["type"], **described}}
    if "verbosity" in given:
        text["verbosity"] = given["verbosity"]
    return text


def _tool(tool: Json, custom: frozenset[str]) -> Json:
    function = tool["function"]
    named = {"name": function["name"], "description": function.get("description")}
    if function["name"] in custom:
        return {"type": "custom", **named}
    rest = {"parameters": function.get("parameters"), "strict": function.get("strict")}
    return {"type": "function", **named, **rest}


def _tool_choice(request: ChatRequest) -> str | Json:
    choice = request.tool_choice
    if choice is None:
        return "auto"
    tools: list[Json] = [
        {"type": "custom" if name in request.custom_tools else "function", "name": name}
        for name in choice.names
    ]
    if not tools:
        return choice.mode
    if choice.mode == "required" and len(tools) == 1:
        return tools[0]
    return {"type": "allowed_tools", "mode": choice.mode, "tools": tools}
