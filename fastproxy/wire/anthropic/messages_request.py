"""A client's Messages body, decoded from JSON, as a `ChatRequest`: for models that are not Claude.

Blocks and tools are read by the one normaliser of `wire/openai/`; here is what only Messages bodies have.
What runs at Anthropic's (server tools, their blocks, betas, context_management, prompt caching) is left out.
Source: Anthropic's Messages reference; SDK type MessageCreateParams.
"""

from __future__ import annotations

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.anthropic.values import object_of, text_of
from fastproxy.wire.openai.faults import model_of, wrong_type
from fastproxy.wire.openai.messages import parse_messages
from fastproxy.wire.openai.parameters import split_parameters
from fastproxy.wire.openai.tools import parse_tool_choice, parse_tools

_BILLING = "x-anthropic-billing-header:"
"""Begins a system block by which Claude Code tells Anthropic about itself: no word for a model."""
_SAME = ("max_tokens", "temperature", "top_p", "top_k")
_SAID = frozenset(("text", "thinking", "redacted_thinking", "tool_use", "image"))
"""Blocks of an assistant turn that are said; the others are what Anthropic's own tools did."""
_EFFORTS = ((4_096, "low"), (16_384, "medium"))
"""(budget_tokens below this, reasoning_effort)."""


def outline(body: Json) -> ChatRequest:
    """The model and whether it streams: all that must be known of a body that is passed on untouched."""
    return ChatRequest(model_of(body.get("model")), messages=(), stream=_flag(body, "stream"))


def parse_messages_request(body: Json) -> ChatRequest:
    """The request in `body`. `model` is "" where the client named none. Raises ProxyError (400)."""
    tools = parse_tools(body)
    parameters, extra = _parameters(body)
    return ChatRequest(
        model=model_of(body.get("model")),
        messages=parse_messages(_conversation(body)),
        stream=_flag(body, "stream"),
        include_usage=True,
        tools=tools,
        tool_choice=parse_tool_choice(body, tools),
        parameters=parameters,
        extra=extra,
    )


def _flag(body: Json, name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong_type(name, "true or false", value)
    return value is True


def _parameters(body: Json) -> tuple[Json, Json]:
    """(OpenAI's parameters, top_k): types are checked there, ranges are the providers' matter."""
    choice, metadata = body.get("tool_choice"), _object(body, "metadata")
    serial = isinstance(choice, dict) and choice.get("disable_parallel_tool_use") is True
    return split_parameters(
        {
            **{name: body.get(name) for name in _SAME},
            "stop": _stop_sequences(body),
            "user": text_of(metadata.get("user_id")) or None,
            "parallel_tool_calls": False if serial else None,
            "reasoning_effort": _effort(body),
            "response_format": _format(body),
        }
    )


def _stop_sequences(body: Json) -> list[str] | None:
    given = body.get("stop_sequences")
    if given is None or (isinstance(given, list) and all(isinstance(text, str) for text in given)):
        return given
    raise wrong_type("stop_sequences", "a list of strings", given)


def _effort(body: Json) -> object:
    """None where the model is to decide, as with adaptive thinking."""
    thinking, config = _object(body, "thinking"), _object(body, "output_config")
    if thinking.get("type") == "disabled":
        return "none"
    budget = thinking.get("budget_tokens")
    if config.get("effort") is not None or thinking.get("type") != "enabled":
        return config.get("effort")
    least = budget if isinstance(budget, int) else 0
    return next((effort for limit, effort in _EFFORTS if least < limit), "high")


def _format(body: Json) -> Json | None:
    wanted = _object(body, "output_config").get("format", body.get("output_format"))
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        return None
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": wanted.get("schema", {}), "strict": True},
    }


def _object(body: Json, name: str) -> Json:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise wrong_type(name, "an object", value)
    return value or {}


def _conversation(body: Json) -> Json:
    """`system` and `messages` with nothing in them that only Anthropic knows."""
    system, messages = body.get("system"), body.get("messages")
    if isinstance(system, list):
        system = [_block(block) for block in system if not _is_billing(block)] or None
    if isinstance(messages, list):
        messages = [_message(message) for message in messages]
    return {"system": system, "messages": messages}


def _is_billing(block: object) -> bool:
    return text_of(object_of(block).get("text")).startswith(_BILLING)


def _message(message: object) -> object:
    """A wrong type stays as it is: the normaliser names it."""
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        return message
    content = message["content"]
    if message.get("role") == "assistant":
        content = [block for block in content if not isinstance(block, dict) or block.get("type") in _SAID]
    return {"role": message.get("role"), "content": [_block(block) for block in content]}


def _block(block: object) -> object:
    if not isinstance(block, dict):
        return block
    kind = block.get("type")
    if kind == "text":  # without citations and cache_control
        return {"type": "text", "text": block.get("text")}
    if kind == "tool_result":
        return _result(block)
    if kind == "search_result":
        return _found(block)
    if kind == "document" and object_of(block.get("source")).get("type") == "content":
        return _texts_of(object_of(block["source"]).get("content"))
    return {key: value for key, value in block.items() if key != "cache_control"}


def _result(block: Json) -> Json:
    """A tool's result; OpenAI's format has no place for `is_error`, so the text says it."""
    content = block.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if isinstance(blocks, list):
        blocks = [_block(part) for part in blocks if object_of(part).get("type") != "tool_reference"]
    if block.get("is_error") is True and not _tells_error(blocks):
        blocks = [{"type": "text", "text": "Error: "}, *(blocks or ())]
    return {"type": "tool_result", "tool_use_id": block.get("tool_use_id"), "content": blocks}


def _tells_error(blocks: object) -> bool:
    first = object_of(blocks[0]) if isinstance(blocks, list) and blocks else {}
    return "error" in text_of(first.get("text"))[:40].lower()


def _found(block: Json) -> Json:
    heading = " ".join(filter(None, (text_of(block.get("title")), text_of(block.get("source")))))
    return {"type": "text", "text": f"{heading}\n{_texts_of(block.get('content'))['text']}"}


def _texts_of(content: object) -> Json:
    blocks = content if isinstance(content, list) else [{"text": content}]
    return {"type": "text", "text": "\n".join(text_of(object_of(block).get("text")) for block in blocks)}
