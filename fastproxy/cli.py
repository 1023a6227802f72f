"""The command line: serve, check, models, health. Everything else is in the configuration."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import click

from fastproxy import __version__
from fastproxy.config import ConfigError, ProviderSettings, Settings, bridge_launch, load, off_reasons
from fastproxy.own_health import own_url

Result = TypeVar("Result")

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
@click.option("--log-bodies", is_flag=True, default=None, help="Log prompts and answers, to find faults.")
def serve(config_path: str | None, **overrides: Any) -> None:
    """Start the proxy."""
    # told to end while it starts; the first process of a container would not even hear it by default
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings, reasons, source = _load(config_path, **overrides)
    _need_temporary_folder()
    from fastproxy import server

    try:
        launch = bridge_launch(settings, reasons, os.environ)  # noqa: TID251 - as above
        chosen = server.plan(settings, reasons, launch)
    except server.CannotListenError as error:
        raise click.ClickException(str(error)) from None
    click.echo(welcome(settings, reasons, source, chosen.port))
    if settings.server.log_bodies:
        from fastproxy.observability.bodies import WARNING

        click.secho(f"  WARNING: {WARNING}\n", fg="red", bold=True)
    sys.stdout.flush()
    raise SystemExit(server.run(chosen))


def _need_temporary_folder() -> None:
    """The workers' metrics are kept in one; Robyn does not even load without."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        raise click.ClickException(
            "no folder for temporary files can be written to: mount one at /tmp (docker run --tmpfs /tmp), "
            "or set TMPDIR"
        ) from None


@main.command()
@_config_option
def models(config_path: str | None) -> None:
    """List the models that can be called, after a short look at what each provider has."""
    settings, reasons, _source = _load(config_path)
    from fastproxy.catalogue import Catalogue
    from fastproxy.providers import PROVIDERS
    from fastproxy.routing import Router
    from fastproxy.upstream.discovery import Discovery
    from fastproxy.wiring import provider_entries, route_rules

    router = Router(
        provider_entries(settings, reasons),
        rules=route_rules(settings),
        aliases=settings.aliases,
        neutral_names=settings.server.neutral_names,
    )
    discovery = Discovery(router.templates(), PROVIDERS)
    _run(discovery.refresh())
    catalogue = Catalogue(router, discovery)
    listed = sorted(catalogue.models(), key=lambda model: (model.owned_by, model.id))
    width = max((len(model.id) for model in listed), default=0)
    for model in listed:
        click.echo(f"{model.id:<{width}}  {model.owned_by}")
    for name, state in catalogue.providers().items():
        if state["state"] != "on":
            click.echo(f"{name} is {state['state']}: {state['reason']}", err=True)
    _leave(0)


@main.command()
@_config_option
@click.option("--cursor", is_flag=True, help="Check instead whether Cursor can use this proxy.")
@click.option("--url", metavar="URL", default="", help="With --cursor: the tunnel's, https://…/v1.")
def check(config_path: str | None, *, cursor: bool, url: str) -> None:
    """Check configuration, credentials and providers; fails where something is wrong. Costs no tokens."""
    if url and not cursor:
        raise click.UsageError("--url belongs to --cursor.")
    settings, reasons, source = _load(config_path)
    from fastproxy.checks import check_all
    from fastproxy.checks.findings import is_faulty, render

    click.echo(f"\n  fastproxy {__version__}")
    if cursor:
        _check_cursor(settings, url)
    launch = bridge_launch(settings, reasons, os.environ)  # noqa: TID251 - as above
    groups = _run(check_all(settings, reasons, source, launch))
    click.echo(render(groups))
    _leave(1 if is_faulty(groups) else 0)


@main.command()
@_config_option
@click.option("--timeout", type=float, default=3.0, show_default=True, help="Seconds to wait for the answer.")
def health(config_path: str | None, timeout: float) -> None:
    """Ask the proxy that runs here whether it is ready; fails where it is not. For containers."""
    settings, _reasons, _source = _load(config_path)
    from fastproxy.own_health import trouble

    found = trouble(settings.server, timeout)
    if found:
        raise click.ClickException(found)
    click.echo("ready")


def _check_cursor(settings: Settings, url: str) -> NoReturn:
    from fastproxy.checks.cursor import check_cursor
    from fastproxy.checks.findings import is_faulty, render

    groups = _run(check_cursor(settings, url))
    click.echo(render(groups))
    _leave(1 if is_faulty(groups) else 0)


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    """Its result, without `asyncio.run`'s wait for threads: a name lookup may hang in one for minutes."""
    return asyncio.new_event_loop().run_until_complete(work)


def _leave(status: int) -> NoReturn:
    """Ends the process at once, for the same reason."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def welcome(settings: Settings, reasons: dict[str, str], source: str, port: int) -> str:
    """The one screen that a start prints."""
    page = own_url(settings.server, port)
    url = f"{page}/v1"
    in_a_browser = f"\n  in a browser    {page}/" if settings.server.status_page else ""
    width = max(len(name) for name in reasons)
    providers = "\n".join(
        f"    {name:<{width}}  {_state(reason, settings.providers[name])}" for name, reason in reasons.items()
    )
    key = "any text" if not settings.auth.keys else f"the key of {settings.auth.keys[0].name!r}"
    return f"""
  fastproxy {__version__}   {url}

  configuration   {source}
  providers
{providers}

  try it          curl -N {url}/chat/completions -H 'content-type: application/json' -d '{{
                    "model": "demo-chat", "stream": true,
                    "messages": [{{"role": "user", "content": "hello"}}]}}'
  SDKs, editors   base URL {url}   API key: {key}{in_a_browser}
  Cursor          cannot reach localhost: fastproxy check --cursor tells what to do
"""


def _state(reason: str, table: ProviderSettings) -> str:
    """On or off, and why; a start asks nobody, so a server of the user's is on if it runs."""
    from fastproxy.providers import PROVIDERS

    listing, address = PROVIDERS[table.kind].listing, getattr(table, "base_url", "")
    if reason:
        return f"off   {reason}"
    return (
        f"on    if {listing.product} runs at {address}" if listing and listing.product and address else "on"
    )
