"""Settings of the providers: what all have in common, and what each kind adds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from fastproxy.config.values import BaseUrl, Resolved, Secret, Section, StrList
from fastproxy.providers.demo import DEMO_MODELS
from fastproxy.types import Care, Timeouts

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class ProviderSettings(Section):
    """What every provider has. Names of kinds are the rows of the provider table."""

    kind: str
    """Which kind of provider this is; needed only in a table with a name of your own."""
    enabled: bool | None = None
    """True or False decides; unset: on where it is configured or its credential is found."""
    prefix: str = ""
    """Model names that begin so are this provider's. Empty: `NAME/model` alone leads to it."""
    models: StrList = []
    """Names at the provider, listed at /v1/models beside what discovery finds."""
    connect_timeout: Seconds = 5.0
    """Seconds to connect, TLS included."""
    first_token_timeout: Seconds = 60.0
    """Seconds to the first content of a stream."""
    idle_timeout: Seconds = 60.0
    """Seconds of silence in the middle of a stream."""
    total_timeout: Seconds = 1800.0
    """Seconds for a whole answer, retries and fallbacks included."""
    max_concurrency: Annotated[int, Field(ge=0)] = 0
    """Requests at a time; 0: any number. Beyond it they wait up to server.queue_seconds."""
    max_retries: Annotated[int, Field(ge=0, le=10)] = 2
    """How often an attempt that failed is repeated at the same model."""
    breaker_failure_threshold: Annotated[int, Field(ge=0)] = 5
    """Consecutive faults that open the circuit; 0: off."""
    breaker_recovery_seconds: Seconds = 30.0
    """How long an open circuit refuses before one request may try."""

    @property
    def timeouts(self) -> Timeouts:
        """All four, in seconds."""
        return Timeouts(self.connect_timeout, self.first_token_timeout, self.idle_timeout, self.total_timeout)

    def care(self, queue_seconds: float) -> Care:
        """How it is treated when it is slow, busy or broken."""
        return Care(
            self.max_retries,
            self.max_concurrency,
            queue_seconds,
            self.breaker_failure_threshold,
            self.breaker_recovery_seconds,
        )


class DemoSettings(ProviderSettings):
    """The offline provider: always on unless disabled."""

    kind: Literal["demo"] = "demo"
    prefix: str = "demo-"
    models: StrList = list(DEMO_MODELS)


class OpenAISettings(ProviderSettings):
    """Any server that speaks OpenAI's Chat Completions."""

    kind: Literal["openai"] = "openai"
    api_key: Secret = SecretStr("")
    """The key for the server; empty: none is sent."""
    base_url: BaseUrl = ""
    """The server's address, up to and with `/v1`. Required."""


class DeepSeekSettings(ProviderSettings):
    """DeepSeek's API."""

    kind: Literal["deepseek"] = "deepseek"
    prefix: str = "deepseek-"
    models: StrList = ["deepseek-v4-flash", "deepseek-v4-pro", "deepseek-chat", "deepseek-reasoner"]
    api_key: Secret = SecretStr("env:DEEPSEEK_API_KEY")
    """DeepSeek's API key."""
    base_url: BaseUrl = "https://api.deepseek.com"
    """Where its API is."""


class OllamaSettings(ProviderSettings):
    """An Ollama server."""

    kind: Literal["ollama"] = "ollama"
    prefix: str = "ollama-"
    base_url: BaseUrl = "http://127.0.0.1:11434"
    """Where Ollama listens."""
    api_key: Secret = SecretStr("")
    """For an Ollama behind a proxy that wants a key; empty: none is sent."""
    num_ctx: Annotated[int, Field(ge=256)] = 32_768
    """Tokens of context that each request asks for: Ollama's own default cuts long prompts silently."""
    num_ctx_by_model: dict[str, Annotated[int, Field(ge=256)]] = {}
    """The same for single models, by Ollama's names."""
    keep_alive: str = "5m"
    """How long a model stays in memory after an answer; `-1`: for ever."""
    first_token_timeout: Seconds = 300.0


class VertexSettings(ProviderSettings):
    """Gemini (and Claude) on Google's Vertex AI."""

    kind: Literal["vertex"] = "vertex"
    prefix: str = "gemini-"
    models: StrList = ["gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-3-pro-preview"]
    project: Resolved = "env:GOOGLE_CLOUD_PROJECT"
    """The Google Cloud project; empty: the credential's own."""
    location: str = "global"
    """The location that serves: `global`, `us`, `eu`, or a region such as `europe-west1`."""
    credentials_file: Resolved = "env:GOOGLE_APPLICATION_CREDENTIALS"
    """A credentials file of any kind that Google makes; empty: application default credentials."""
    metadata_host: Resolved = "env:GCE_METADATA_HOST"
    """Another address of the metadata server; empty: Google's."""
    api_key: Secret = SecretStr("")
    """Express mode: an API key instead of a project and its credentials."""
    base_url: BaseUrl = ""
    """Another address than Google's for the location."""
    api_version: str = "v1beta1"
    """The version in the path of Google's API."""
    safety_settings: list[dict[str, str]] = []
    """`{category, threshold}` for each request that has none of its own; empty: Google's defaults."""


class AnthropicSettings(ProviderSettings):
    """Anthropic's Messages API."""

    kind: Literal["anthropic"] = "anthropic"
    prefix: str = "claude-"
    models: StrList = ["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-3-5-sonnet-latest"]
    api_key: Secret = SecretStr("env:ANTHROPIC_API_KEY")
    """Anthropic's API key."""
    base_url: BaseUrl = "https://api.anthropic.com"
    """Where its API is, without `/v1`."""


class ClaudeSettings(ProviderSettings):
    """The local claude CLI, through the bridge."""

    kind: Literal["claude"] = "claude"
    prefix: str = "claude-"
    models: StrList = ["claude-opus", "claude-sonnet", "claude-haiku"]
    bridge_url: BaseUrl = ""
    """A bridge that runs elsewhere; empty: start and watch our own."""
    bridge_secret: Secret = SecretStr("")
    """The shared secret of that bridge (its FASTPROXY_BRIDGE_SECRET); our own gets one at each start."""
    claude_bin: str = ""
    """The CLI's path; empty: `claude` on PATH, in `~/.local/bin` or `~/.claude/local`."""
    pool_size: Annotated[int, Field(ge=0, le=64)] = 2
    """CLI processes that are started ahead, for each model in use; about 100 MB each."""
    max_processes: Annotated[int, Field(ge=1, le=256)] = 8
    """CLI processes at a time, busy and spare together."""
    first_token_timeout: Seconds = 120.0


AnyProvider = Annotated[
    DemoSettings
    | OpenAISettings
    | DeepSeekSettings
    | OllamaSettings
    | VertexSettings
    | AnthropicSettings
    | ClaudeSettings,
    Field(discriminator="kind"),
]

KINDS = ("demo", "vertex", "claude", "anthropic", "deepseek", "ollama", "openai")
"""The kinds of provider; all but "openai" are also names of providers that need no configuration."""
