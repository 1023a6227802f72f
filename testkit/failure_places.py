"""The providers of the table of failure modes: where they are, what they speak, how they are configured."""

from __future__ import annotations

from dataclasses import dataclass

from testkit.formats import ANTHROPIC, GEMINI, OLLAMA, OPENAI, Format


@dataclass(frozen=True)
class Place:
    """A provider of the tests."""

    title: str
    wire: Format
    prefix: str
    config: str
    """Its table in the configuration; `{url}` is the mock's, `{plain_port}` that of who knows no TLS."""
    is_cli: bool = False
    """It is a CLI behind the bridge, whose Anthropic is the mock; `config` are further lines of its table."""


_QUICK = "first_token_timeout = 0.5\nidle_timeout = 0.5\ntotal_timeout = 1.5\n"
_OPENAI = '[providers.{name}]\nkind = "openai"\nbase_url = "{base}"\nprefix = "{name}-"\n'


def _openai(name: str, base: str, more: str = "") -> str:
    return _OPENAI.replace("{name}", name).replace("{base}", base) + more


PROVIDERS = {
    "http": Place("any OpenAI-compatible server", OPENAI, "http-", _openai("http", "{url}/v1")),
    "hasty": Place("the same", OPENAI, "hasty-", _openai("hasty", "{url}/v1", _QUICK)),
    "refused": Place("the same", OPENAI, "refused-", _openai("refused", "http://127.0.0.1:9/v1")),
    "nameless": Place("the same", OPENAI, "nameless-", _openai("nameless", "http://nobody.invalid/v1")),
    "tls": Place("the same", OPENAI, "tls-", _openai("tls", "https://127.0.0.1:{plain_port}/v1")),
    "ollama": Place("Ollama", OLLAMA, "ollama-", '[providers.ollama]\nbase_url = "{url}"\n' + _QUICK),
    "vertex": Place(
        "Vertex AI", GEMINI, "gemini-", '[providers.vertex]\nbase_url = "{url}"\napi_key = "k"\n' + _QUICK
    ),
    "anthropic": Place(
        "Anthropic",
        ANTHROPIC,
        "claude-",
        '[providers.anthropic]\nbase_url = "{url}"\napi_key = "k"\n' + _QUICK,
    ),
    "claude": Place("the claude CLI", ANTHROPIC, "claude-", "idle_timeout = 1.5\n", is_cli=True),
}
