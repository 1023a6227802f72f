"""How much Claude thinks, and the signed thoughts it must get back.

Sources: Anthropic's "Extended thinking", "Adaptive thinking", "Thinking in tool and multi-turn workflows".
The rule that shapes this file: with a budget the assistant turn of a tool loop must begin with its own
signed thinking block, or the request is a 400; adaptive thinking does not demand it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fastproxy.types import ChatRequest, Dropped, Json
from fastproxy.wire.anthropic.models import Model
from fastproxy.wire.anthropic.values import invalid, object_of, text_of

CARRY = "anthropic.thinking"
"""The `Carry.kind` of thinking blocks; the key is the first tool-call id of their turn."""
NO_THINKING = "anthropic.no_thinking"
"""The repair after a 400 about thinking blocks: send none, and do not think."""

_BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 24_576, "xhigh": 26_624, "max": 31_999}
_LEAST_BUDGET = 1_024
_ROOM_TO_ANSWER = 4_096
# xhigh never becomes max: the next lower level costs less than the client asked for, not more.
_EFFORTS = {"minimal": "low", "xhigh": "high", "max": "high"}


@dataclass(slots=True)
class ThinkingFields:
    """The body's `thinking` and `output_config.effort`."""

    thinking: Json | None = None
    effort: str | None = None
    dropped: list[Dropped] = field(default_factory=list)

    def is_on(self) -> bool:
        """The request asks for thinking (a model may still think without being asked)."""
        return self.thinking is not None and self.thinking.get("type") not in ("disabled", "between_tools")

    def needs_signed_loop(self) -> bool:
        """A tool loop without its signed thinking, or a forced tool, would be refused."""
        return self.thinking is not None and self.thinking.get("type") == "enabled"

    def switch_off(self, model: Model, reason: str) -> None:
        """Think as little as the model can, and tell why."""
        off = _off(model)
        self.thinking, self.effort = off.thinking, off.effort
        self.dropped.append(Dropped("reasoning_effort", reason))


def thinking_fields(request: ChatRequest, model: Model, max_tokens: int) -> ThinkingFields:
    """What the request says about thinking: Anthropic's own `thinking` field, else `reasoning_effort`."""
    if NO_THINKING in request.repairs:
        return _off(model)
    native = request.extra.get("thinking")
    effort = request.parameters.get("reasoning_effort")
    if isinstance(native, dict) and (native.get("type") != "enabled" or "budget_tokens" in native):
        return ThinkingFields(native, None if effort is None else _level(model, effort))
    if native is not None and effort is None:
        effort = "medium"  # "enabled" without a budget is another provider's way to say: think
    if effort is None:
        return ThinkingFields()
    return _off(model) if effort == "none" else _on(model, effort, max_tokens)


def _on(model: Model, effort: object, max_tokens: int) -> ThinkingFields:
    level = _level(model, effort)
    if model.thinking == "adaptive":
        # Newer models leave the text of their thoughts out unless asked.
        return ThinkingFields({"type": "adaptive", "display": "summarized"}, level)
    if model.thinking == "budget" and max_tokens > _LEAST_BUDGET:
        room = max_tokens - min(_ROOM_TO_ANSWER, max_tokens // 2)
        budget = max(_LEAST_BUDGET, min(_BUDGETS[str(effort)], room))
        return ThinkingFields({"type": "enabled", "budget_tokens": budget})
    reason = "this model cannot think" if not model.thinking else "max_tokens leaves no room for thinking"
    return ThinkingFields(dropped=[Dropped("reasoning_effort", reason)])


def _off(model: Model) -> ThinkingFields:
    if not model.thinking:
        return ThinkingFields()
    if not model.thinking_off:
        return ThinkingFields(effort="low")
    return ThinkingFields({"type": model.thinking_off})


def _level(model: Model, effort: object) -> str | None:
    if not isinstance(effort, str) or effort not in (*_BUDGETS, "none"):
        known = ", ".join(("none", *_BUDGETS))
        invalid(f"`reasoning_effort` must be one of {known}.", "reasoning_effort")
    if effort == "none" or not model.efforts:
        return None
    return effort if effort in model.efforts else _EFFORTS.get(effort, "high")


def thoughts_of(message: Json, request: ChatRequest) -> list[Json]:
    """The signed thinking blocks of an assistant message: the client's own, else the remembered ones."""
    if NO_THINKING in request.repairs:
        return []
    own = _valid(message.get("thinking_blocks")) or _from_details(message.get("reasoning_details"))
    own = own or _valid(message.get("content"))
    if own:
        return own
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        remembered = _valid(request.recalled.get((CARRY, text_of(object_of(call).get("id")))))
        if remembered:
            return remembered
    return []


def _valid(blocks: object) -> list[Json]:
    listed = blocks if isinstance(blocks, list) else []
    return [clean for block in listed if (clean := _signed(object_of(block)))]


def _signed(block: Json) -> Json | None:
    """The block with Anthropic's fields only, where it is complete: an unsigned thought is a 400."""
    kind = block.get("type")
    if kind == "thinking" and isinstance(block.get("thinking"), str) and text_of(block.get("signature")):
        return {"type": kind, "thinking": block["thinking"], "signature": block["signature"]}
    if kind == "redacted_thinking" and text_of(block.get("data")):
        return {"type": kind, "data": block["data"]}
    return None


def _from_details(details: object) -> list[Json]:
    """`reasoning_details` as OpenRouter's clients replay them."""
    named = {"reasoning.text": ("thinking", "text"), "reasoning.encrypted": ("redacted_thinking", "data")}
    blocks = []
    for detail in map(object_of, details if isinstance(details, list) else ()):
        kind, source = named.get(text_of(detail.get("type")), ("", ""))
        text, signature = detail.get(source), detail.get("signature")
        if kind and text_of(detail.get("format") or "anthropic").startswith("anthropic"):
            blocks.append({"type": kind, "thinking": text, "data": text, "signature": signature})
    return _valid(blocks)
