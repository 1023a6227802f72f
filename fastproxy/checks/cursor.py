"""Can Cursor use this proxy: a key, a public address, a tunnel that leads to us, and names it lets through.

Cursor's servers, not its desktop program, call the address that a user types; they refuse private ones.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
import orjson

from fastproxy.checks.findings import Finding, Group, State
from fastproxy.config import Settings
from fastproxy.upstream.probe import Answer, Unreachable, ask, open_client

ASKING_SECONDS = 15.0
_TUNNELS = (
    "cloudflared tunnel --url http://127.0.0.1:{port}",
    "ngrok http {port}",
    "tailscale funnel {port}",
)
_AGAIN = "then run: fastproxy check --cursor --url https://<tunnel>/v1"
_TAKEN = re.compile(r"gpt|claude|gemini|(?:^|\W)o[134](?:\W|$)", re.IGNORECASE)
"""What makes Cursor take a name for one of its own models."""
_PROBE_MODEL = "demo-echo"
_MANY = 12


async def check_cursor(settings: Settings, url: str) -> list[Group]:
    """What was found, in the order in which a user sets things up. `url` is the tunnel's; "": unknown."""
    findings = [_check_key(settings), _check_address(settings, url)]
    names: Sequence[str] = ()
    if url:
        reached, names = await _reach(settings, url.rstrip("/"))
        findings += reached
    return [Group("Cursor", [*findings, *_what_to_type(url, names)])]


def _check_key(settings: Settings) -> Finding:
    if settings.auth.keys:
        return Finding("key", State.OK, ", ".join(key.name for key in settings.auth.keys))
    return Finding(
        "key",
        State.FAULT,
        "there is no key: a public address would be open to everybody, so requests through it are refused",
        'add one to the configuration: [auth] keys = [{ name = "cursor", key = "env:FASTPROXY_KEY" }]',
    )


def _check_address(settings: Settings, url: str) -> Finding:
    tunnels = tuple(line.format(port=settings.server.port or 4000) for line in _TUNNELS)
    if not url:
        text = f"Cursor's servers cannot reach {settings.server.host}: a tunnel must lead to it"
        return Finding("address", State.FAULT, text, f"start one of these, {_AGAIN}", tunnels)
    reason = private_reason(url)
    if reason:
        text = f"Cursor refuses this address: {reason}"
        return Finding("address", State.FAULT, text, f"start one of these, {_AGAIN}", tunnels)
    return Finding("address", State.OK, url)


def private_reason(url: str) -> str:
    """Why Cursor's servers cannot call this address; "" where they can."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "it is no URL"
    if parts.scheme != "https":
        return "it does not begin with https://"
    try:
        return "" if ipaddress.ip_address(host).is_global else f"{host} is no public address"
    except ValueError:
        local = "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))
        return f"{host or 'an empty name'} is known on this machine or network only" if local else ""


async def _reach(settings: Settings, url: str) -> tuple[list[Finding], Sequence[str]]:
    """(what asking ourselves through the address showed, the models that it lists)."""
    key = next((text for key in settings.auth.keys if (text := key.key.get_secret_value())), "")
    try:
        client = await asyncio.to_thread(open_client, url)
        async with client:
            return await _ask_ourselves(client, url, key)
    except Unreachable as error:
        remedy = "are `fastproxy serve` and the tunnel running, and is this the tunnel's present address?"
        return [Finding("tunnel", State.FAULT, error.what, remedy)], ()


async def _ask_ourselves(
    client: httpx.AsyncClient, url: str, key: str
) -> tuple[list[Finding], Sequence[str]]:
    stranger = await ask(client, f"{url}/models", ASKING_SECONDS)
    if not _is_our_refusal(stranger):
        return [_not_us(stranger)], ()
    if not key:
        text = "it leads to a fastproxy that wants a key; only digests are configured, so none was tried"
        return [Finding("tunnel", State.NOTE, text, "see the names with: fastproxy models")], ()
    bearer = (("authorization", f"Bearer {key}"),)
    listed = await ask(client, f"{url}/models", ASKING_SECONDS, headers=bearer)
    names = _names(listed)
    if not names:
        text = f"it leads to a fastproxy that answers {listed.status} to the first key of this configuration"
        return [Finding("tunnel", State.FAULT, text, "start `fastproxy serve` with this configuration")], ()
    found = [Finding("tunnel", State.OK, f"it leads to us ({len(names)} names, {listed.seconds:.1f} s)")]
    if _PROBE_MODEL in names:
        found.append(await _stream(client, url, bearer))
    return found, names


async def _stream(client: httpx.AsyncClient, url: str, bearer: tuple[tuple[str, str], ...]) -> Finding:
    body = {"model": _PROBE_MODEL, "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    headers = (*bearer, ("content-type", "application/json"))
    answer = await ask(
        client, f"{url}/chat/completions", ASKING_SECONDS, headers=headers, body=orjson.dumps(body)
    )
    whole = answer.status == 200 and answer.body.rstrip().endswith(b"data: [DONE]")
    if whole and answer.content_type.startswith("text/event-stream"):
        return Finding("stream", State.OK, f"a streamed answer came through whole ({_PROBE_MODEL})")
    text = f"a streamed answer did not come through ({answer.status}, {answer.content_type or 'no type'})"
    return Finding("stream", State.FAULT, text, "the tunnel must pass text/event-stream: try another kind")


def _is_our_refusal(answer: Answer) -> bool:
    return answer.status == 401 and b'"invalid_api_key"' in answer.body


def _not_us(answer: Answer) -> Finding:
    if answer.status == 200:
        text = "it answers without a key: anybody may use what is there"
        return Finding("tunnel", State.FAULT, text, "set auth.keys, and auth.insecure = false, and restart")
    text = f"the tunnel answers {answer.status}, and not as a fastproxy does"
    remedy = "start `fastproxy serve`, let the tunnel lead to its port, and end the URL with /v1"
    return Finding("tunnel", State.FAULT, text, remedy)


def _names(answer: Answer) -> list[str]:
    try:
        told = orjson.loads(answer.body)
        return [str(model["id"]) for model in told["data"]] if answer.status == 200 else []
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return []


def safe_names(names: Sequence[str]) -> list[str]:
    """Those that Cursor does not take for its own models, the ones for trying things out last."""
    return sorted(
        (name for name in names if not _TAKEN.search(name)), key=lambda name: name.startswith("demo-")
    )


def _what_to_type(url: str, names: Sequence[str]) -> list[Finding]:
    base = url.rstrip("/") or "https://<tunnel>/v1"
    steps = (
        "Cursor Settings > Models > API Keys:",
        "  OpenAI API Key             the key (its text, not its name)",
        f"  Override OpenAI Base URL   {base}",
        "Add custom model, then switch it on:",
    )
    safe = safe_names(names)
    typed = tuple(f"  {name}" for name in safe[:_MANY]) or (
        "  gm-2.5-pro, cl-…, ds-…, ol-…: see `fastproxy models`",
    )
    more = (f"  and {len(safe) - _MANY} more: see `fastproxy models`",) if len(safe) > _MANY else ()
    text = "names without gpt, claude, gemini: Cursor sends those to its own models"
    return [Finding("to type", State.OK, text, details=(*steps, *typed, *more))]
