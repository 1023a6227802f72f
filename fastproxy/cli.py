"""The command line: serve, models. Everything else is in the configuration."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from fastproxy import __version__
from fastproxy.config import ConfigError, Settings, load, off_reasons

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_config_option = click.option(
    "--config", "config_path", metavar="FILE", help="Configuration (default: ./fastproxy.toml, if there)."
)


def _load(config_path: str | None, **overrides: Any) -> tuple[Settings, dict[str, str], str]:
    """Settings, each provider's reason to be off, and where the settings came from; exits 2 on a fault."""
    environment = os.environ  # noqa: TID251 - handed to config, which is the only reader
    try:
        settings, file = load(config_path, environment, overrides)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    return settings, off_reasons(settings, environment), str(file) if file else "no file (defaults)"


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="fastproxy", message="%(prog)s %(version)s")
def main() -> None:
    """One local address for every model: OpenAI-compatible in, Gemini, Claude, DeepSeek and Ollama out."""


@main.command()
@_config_option
@click.option("--host", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", type=int, help="Port to listen on (default 4000; 0: any free one).")
@click.option("--workers", type=int, help="Worker processes (default 1; one serves thousands of streams).")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Default info.")
def serve(config_path: str | None, **overrides: Any) -> None:
    """Start the proxy."""
    settings, reasons, source = _load(config_path, **overrides)
    from fastproxy import server

    try:
        chosen = server.plan(settings, reasons)
    except server.CannotListenError as error:
        raise click.ClickException(str(error)) from None
    click.echo(_welcome(settings, reasons, source, chosen.port))
    sys.stdout.flush()
    raise SystemExit(server.run(chosen))


@main.command()
@_config_option
def models(config_path: str | None) -> None:
    """List the models that can be called."""
    settings, reasons, _source = _load(config_path)
    from fastproxy.catalogue import Catalogue
    from fastproxy.routing import Router
    from fastproxy.wiring import provider_entries

    catalogue = Catalogue(Router(provider_entries(settings, reasons), aliases=settings.aliases))
    for model in sorted(catalogue.models(), key=lambda model: (model.owned_by, model.id)):
        click.echo(f"{model.id:<40} {model.owned_by}")
    for name, reason in reasons.items():
        if reason:
            click.echo(f"{name + ' is off: ' + reason}", err=True)


def _welcome(settings: Settings, reasons: dict[str, str], source: str, port: int) -> str:
    """The one screen that a start prints."""
    scheme = "https" if settings.server.tls_certificate else "http"
    host = settings.server.host if settings.server.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104
    url = f"{scheme}://{host}:{port}/v1"
    width = max(len(name) for name in reasons)
    providers = "\n".join(f"    {name:<{width}}  {_state(reason)}" for name, reason in reasons.items())
    key = "any text" if not settings.auth.keys else f"the key of {settings.auth.keys[0].name!r}"
    return f"""
  fastproxy {__version__}   {url}

  configuration   {source}
  providers
{providers}

  try it          curl -N {url}/chat/completions -H 'content-type: application/json' -d '{{
                    "model": "demo-chat", "stream": true,
                    "messages": [{{"role": "user", "content": "hello"}}]}}'
  SDKs, editors   base URL {url}   API key: {key}
  Cursor          cannot reach localhost: start a tunnel, set auth.keys, use https://<tunnel>/v1
"""


def _state(reason: str) -> str:
    return f"off   {reason}" if reason else "on"
