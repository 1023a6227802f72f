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
    enabled: bool | None = None
    """True or False decides; unset: on where it is configured or its credential is found."""
    prefix: str = ""
    models: StrList = []
    """Names at the provider, listed at /v1/models beside what discovery finds."""
    connect_timeout: Seconds = 5.0
    first_token_timeout: Seconds = 60.0
    idle_timeout: Seconds = 60.0
    total_timeout: Seconds = 1800.0
    max_concurrency: Annotated[int, Field(ge=0)] = 0
    """Requests at a time; 0: any number. Beyond it they wait up to server.queue_seconds."""
    max_retries: Annotated[int, Field(ge=0, le=10)] = 2
    breaker_failure_threshold: Annotated[int, Field(ge=0)] = 5
    """Consecutive faults that open the circuit; 0: off."""
    breaker_recovery_seconds: Seconds = 30.0

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
    base_url: BaseUrl = ""


class DeepSeekSettings(ProviderSettings):
    """DeepSeek's API."""

    kind: Literal["deepseek"] = "deepseek"
    prefix: str = "deepseek-"
    models: StrList = ["deepseek-v4-flash", "deepseek-v4-pro", "deepseek-chat", "deepseek-reasoner"]
    api_key: Secret = SecretStr("env:DEEPSEEK_API_KEY")
    base_url: BaseUrl = "https://api.deepseek.com"


class OllamaSettings(ProviderSettings):
    """An Ollama server."""

    kind: Literal["ollama"] = "ollama"
    prefix: str = "ollama-"
    base_url: BaseUrl = "http://127.0.0.1:11434"
    api_key: Secret = SecretStr("")
    num_ctx: Annotated[int, Field(ge=256)] = 32_768
    num_ctx_by_model: dict[str, Annotated[int, Field(ge=256)]] = {}
    keep_alive: str = "5m"
    first_token_timeout: Seconds = 300.0


class VertexSettings(ProviderSettings):
    """Gemini (and Claude) on Google's Vertex AI."""

    kind: Literal["vertex"] = "vertex"
    prefix: str = "gemini-"
    models: StrList = ["gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-3-pro-preview"]
    project: Resolved = "env:GOOGLE_CLOUD_PROJECT"
    location: str = "global"
    credentials_file: Resolved = "env:GOOGLE_APPLICATION_CREDENTIALS"
    metadata_host: Resolved = "env:GCE_METADATA_HOST"
    api_key: Secret = SecretStr("")
    base_url: BaseUrl = ""
    api_version: str = "v1beta1"
    safety_settings: list[dict[str, str]] = []


class AnthropicSettings(ProviderSettings):
    """Anthropic's Messages API."""

    kind: Literal["anthropic"] = "anthropic"
    prefix: str = "claude-"
    models: StrList = ["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-3-5-sonnet-latest"]
    api_key: Secret = SecretStr("env:ANTHROPIC_API_KEY")
    base_url: BaseUrl = "https://api.anthropic.com"


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
    pool_size: Annotated[int, Field(ge=0, le=64)] = 2
    max_processes: Annotated[int, Field(ge=1, le=256)] = 8
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
