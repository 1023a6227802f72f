"""The nouns that flow between the files: frozen values, no behaviour beyond reading themselves.

A value may hold JSON objects (`Json`). They are read-only by contract: a translator builds new
objects and never changes the ones it was given (tests hold every translator to it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

Json = dict[str, Any]
Headers = tuple[tuple[str, str], ...]
"""Header pairs, names in lower case, in the order they are sent."""

_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[_Class]) -> type[_Class]:
    """A frozen dataclass, for what is made anew for each request or stream event.

    It is the type checker that keeps it frozen: at run time each field of a frozen one would cost a call,
    which made up a tenth of a request.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the owner of an API key, or anybody on loopback where no keys are set."""

    name: str
    scope: str
    """A digest that keeps one caller's remembered state from another's; never the key itself."""
    models: tuple[str, ...] = ()
    """Patterns of the models this caller may use; empty: all."""
    requests_per_minute: int | None = None
    """The key's own limit (0: none); None: the one that all have."""
    tokens_per_minute: int | None = None
    has_key: bool = False
    """False: it is known by its address alone."""


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """OpenAI's `tool_choice` in all its forms, as one value.

    `mode` is "auto", "none" or "required"; `names` restricts the choice to some tools ("allowed_tools",
    or the one tool that is forced). A forced tool is mode "required" with one name.
    """

    mode: str
    names: tuple[str, ...] = ()


@value
class ChatRequest:
    """One chat request in the form of OpenAI's Chat Completions, whatever surface it came in by."""

    model: str
    """The name the client asked for; answers carry it."""
    messages: tuple[Json, ...]
    """OpenAI chat messages, repaired: roles system|developer|user|assistant|tool; `content` is a string,
    a list of OpenAI content parts, or None; assistant `tool_calls` are `type: "function"` with string
    `arguments`; every tool message has a `tool_call_id`. Unknown keys of a message are kept
    (`reasoning_content`, `extra_content`, `cache_control`, ...)."""
    stream: bool = False
    include_usage: bool = False
    """The client asked for the usage chunk (`stream_options.include_usage`)."""
    tools: tuple[Json, ...] = ()
    """`{"type": "function", "function": {"name", "description"?, "parameters"?, "strict"?}}` only."""
    tool_choice: ToolChoice | None = None
    parameters: Json = field(default_factory=dict)
    """OpenAI's other documented parameters that the client set (nulls left out), under OpenAI's names:
    temperature, top_p, n, seed, stop (a list), max_tokens, max_completion_tokens, presence_penalty,
    frequency_penalty, logprobs, top_logprobs, logit_bias, response_format, reasoning_effort,
    parallel_tool_calls, user, metadata, service_tier, modalities, prediction, ..."""
    extra: Json = field(default_factory=dict)
    """Top-level fields that OpenAI does not know (an SDK's `extra_body`): each provider picks what it
    understands and leaves the rest out."""
    repairs: tuple[str, ...] = ()
    """Names of repairs (`errors.Repair`) to apply when building the upstream request."""
    recalled: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    """What `continuity.py` remembered for this conversation: (carry kind, key) -> value."""
    custom_tools: frozenset[str] = frozenset()
    """Those of `tools` that the client offered as free-text (`type: "custom"`) tools: to a model they are
    functions with one string, `input`; a surface gives the client that string alone."""
    context_window: int | None = None
    """`UpstreamRequest.context_window` of the request that is being answered, so that a reader of the
    answer can tell that the prompt was cut; None: unknown."""

    def max_output_tokens(self) -> int | None:
        """The limit on the answer's length: `max_completion_tokens`, else `max_tokens`, else None."""
        value = self.parameters.get("max_completion_tokens", self.parameters.get("max_tokens"))
        return value if isinstance(value, int) else None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Lengths in seconds; see DESIGN §5: connect and total for all, the others for streams."""

    connect: float = 5.0
    first_token: float = 60.0
    idle: float = 60.0
    total: float = 1800.0


@dataclass(frozen=True, slots=True)
class Care:
    """How a provider is treated when it is slow, busy or broken."""

    max_retries: int = 0
    """How often an attempt is repeated at the same deployment."""
    max_concurrency: int = 0
    """Requests that it is given at a time; 0: any number."""
    queue_seconds: float = 0.0
    """How long a request beyond them waits for its turn."""
    failure_threshold: int = 0
    """Consecutive faults that open its circuit; 0: it never opens."""
    recovery_seconds: float = 30.0
    """How long an open circuit stays so before one request may try."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One place that can answer: a provider as configured, and the model's name there."""

    provider: str
    """The configured provider's name: `vertex`, `deepseek`, a custom one's."""
    kind: str
    """The row of the provider table that serves it."""
    model: str
    """The model's name at the provider."""
    base_url: str
    """Without a trailing slash."""
    headers: Headers = ()
    """Static headers of every request to this deployment: its API key among them."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The provider's own settings (project, location, num_ctx, keep_alive, ...), read-only."""
    timeouts: Timeouts = Timeouts()
    care: Care = Care()
    credential: str = ""
    """Name of a credential that the upstream client adds at sending ("google"); empty: none."""

    def __repr__(self) -> str:
        return f"<Deployment {self.provider}/{self.model}>"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a model's name leads: deployments, best first."""

    model: str
    """The name that was asked for (or the default, where none was)."""
    canonical: str
    """The same without alias: what a key's patterns may allow as well."""
    deployments: tuple[Deployment, ...]
    names: tuple[str, ...] = ()
    """What each of the deployments is called by clients; the first is `canonical`."""
    alias: str = ""
    """`model` without optional prefixes and effort: what a key's patterns may allow; "": as `model`."""
    effort: str = ""
    """The reasoning effort that `model` ends in; "": none."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A parameter that a provider has no equivalent for, and why it was left out."""

    param: str
    reason: str


@value
class UpstreamRequest:
    """One HTTP request to a provider, complete but for the credential."""

    url: str
    body: bytes
    headers: Headers = (("content-type", "application/json"),)
    method: str = "POST"
    dropped: tuple[Dropped, ...] = ()
    context_window: int | None = None
    """Tokens of context that this request asks the provider for, where a request can (Ollama's `num_ctx`)."""
