"""What a model says, as frozen events: the one language between the wire formats.

Every translator turns upstream bytes into these; every surface's renderer turns these into bytes.
Rules for translators:
1. `choice` is the candidate's index (0 but for `n` > 1).
2. Tool calls are numbered from 0 per choice; the first ToolDelta of an index has `id` and `name`, later
   ones only `arguments` (pieces of one JSON text, "{}" for a call without arguments; never "" in all).
3. One Finish per choice, at its end; after a Fault nothing more comes.
4. Usage is the provider's, inclusive (OpenAI's counting), at most once, after the last Finish.
5. The same events come out however the upstream's bytes were cut (neighbouring text may be split
   differently only where the upstream's own events were).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastproxy.errors import UpstreamError
from fastproxy.types import Json, value


@value
class Delta:
    """A piece of the answer's text."""

    text: str
    choice: int = 0
    logprobs: tuple[Json, ...] = ()
    """OpenAI's `logprobs.content` items for this piece."""


@value
class Reasoning:
    """A piece of the model's thoughts (`reasoning_content`)."""

    text: str
    choice: int = 0


@value
class Refusal:
    """A piece of a refusal (`message.refusal`)."""

    text: str
    choice: int = 0


@value
class ToolDelta:
    """A piece of a tool call."""

    index: int
    arguments: str = ""
    id: str | None = None
    name: str | None = None
    choice: int = 0
    extra_content: Json | None = None
    """Provider data beside the call (`{"google": {"thought_signature": ...}}`), on the first piece."""


@value
class Annotations:
    """Citations in OpenAI's form: `{"type": "url_citation", "url_citation": {...}}`."""

    items: tuple[Json, ...]
    choice: int = 0


@value
class Image:
    """A generated image as a data URL (`message.images[]`, the field's de facto place)."""

    url: str
    choice: int = 0


def count_of(told: object) -> int | None:
    """A number of tokens as a provider told it: nothing below zero; None where it is no whole number."""
    return max(told, 0) if type(told) is int else None


@value
class Usage:
    """Token counts as OpenAI counts: prompt includes cached, completion includes reasoning."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    extra: Json = field(default_factory=dict)
    """Provider counters worth passing on beside OpenAI's (`prompt_cache_hit_tokens`, ...)."""


@value
class Finish:
    """The end of one choice."""

    reason: str
    """One of stop | length | tool_calls | content_filter."""
    choice: int = 0
    native: str = ""
    """The provider's own word, for the log."""


@value
class Carry:
    """Something the provider must get back later and clients throw away (see `continuity.py`)."""

    kind: str
    """Who will ask for it: "gemini.signature", "anthropic.thinking", "deepseek.reasoning"."""
    key: str
    """A tool-call id of this answer."""
    value: Any
    """JSON: a string or an object."""


@value
class Fault:
    """The stream broke, or the provider reported an error inside it. The last event."""

    error: UpstreamError


Event = Delta | Reasoning | Refusal | ToolDelta | Annotations | Image | Usage | Finish | Carry | Fault

CONTENT = (Delta, Reasoning, Refusal, ToolDelta, Annotations, Image, Finish, Fault)
"""Events that count as the answer's first content (DESIGN §5)."""


class Translator(Protocol):
    """Turns one upstream stream into events. One object a stream; pure; whatever the
    bytes are, raises nothing but `UpstreamError` (which ends the stream like a Fault)."""

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        ...

    def finish(self) -> list[Event]:
        """The events that the end of the stream completes: at least a Fault where it came early."""
        ...


@dataclass(slots=True)
class ToolCall:
    """A whole tool call of a unary answer."""

    id: str
    name: str
    arguments: str
    extra_content: Json | None = None


@dataclass(slots=True)
class Choice:
    """One whole answer. `text` is None where the model said nothing beside tool calls."""

    index: int = 0
    text: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)
    annotations: list[Json] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    logprobs: list[Json] = field(default_factory=list)
    finish_reason: str = "stop"
    native_finish: str = ""


@dataclass(slots=True)
class Completion:
    """A whole unary answer: what the events of a stream add up to."""

    choices: list[Choice]
    usage: Usage | None = None
    carries: list[Carry] = field(default_factory=list)


def complete(events: Iterable[Event]) -> Completion:
    """The completion that these events add up to. A Fault among them is raised."""
    choices: dict[int, Choice] = {}
    completion = Completion([])
    for event in events:
        if isinstance(event, Fault):
            raise event.error
        if isinstance(event, Usage):
            completion.usage = event
        elif isinstance(event, Carry):
            completion.carries.append(event)
        else:
            _add(choices.setdefault(event.choice, Choice(event.choice)), event)
    completion.choices = [choices[index] for index in sorted(choices)]
    return completion


def _add(
    choice: Choice, event: Delta | Reasoning | Refusal | ToolDelta | Annotations | Image | Finish
) -> None:
    match event:
        case Delta():
            choice.text = (choice.text or "") + event.text
            choice.logprobs.extend(event.logprobs)
        case Reasoning():
            choice.reasoning = (choice.reasoning or "") + event.text
        case Refusal():
            choice.refusal = (choice.refusal or "") + event.text
        case ToolDelta():
            _add_tool(choice.tool_calls, event)
        case Annotations():
            choice.annotations.extend(event.items)
        case Image():
            choice.images.append(event.url)
        case Finish():
            choice.finish_reason, choice.native_finish = event.reason, event.native


def _add_tool(calls: list[ToolCall], event: ToolDelta) -> None:
    if event.index == len(calls):
        calls.append(ToolCall(event.id or "", event.name or "", event.arguments, event.extra_content))
    else:
        calls[event.index].arguments += event.arguments
