"""Who we talk to: the table of providers, best first where several serve the same names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from fastproxy.providers.anthropic import ANTHROPIC, CLAUDE_CLI, VERTEX_CLAUDE
from fastproxy.providers.contract import Provider
from fastproxy.providers.deepseek import DEEPSEEK
from fastproxy.providers.ollama import OLLAMA
from fastproxy.providers.openai import OPENAI
from fastproxy.providers.vertex import PROVIDER as VERTEX

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        "demo": replace(
            OPENAI, native_embeddings=None, text_completion=None, listing=None, strips_prefix=False
        ),
        "claude": CLAUDE_CLI,
        "anthropic": ANTHROPIC,
        "vertex": replace(
            VERTEX, also_serves=("claude-", "text-embedding-"), variants=(("claude-", "vertex-claude"),)
        ),
        "vertex-claude": VERTEX_CLAUDE,
        "deepseek": DEEPSEEK,
        "ollama": OLLAMA,
        "openai": OPENAI,
    }
)
