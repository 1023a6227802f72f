"""GET / for people: the status page. GET /status: the data behind it.

Law: the page is open and holds nothing; what it shows wants a key like everything else. Programs that knock
at / get the greeting, as ever.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from functools import cache

import orjson

from fastproxy.api.health import live
from fastproxy.auth import Authenticator
from fastproxy.http import HttpRequest, Reply
from fastproxy.observability.history import History
from fastproxy.types import Json

Handler = Callable[[HttpRequest], Awaitable[Reply]]

SHOWN_REQUESTS = 50
_PAGE_HEADERS = (
    ("cache-control", "no-cache"),
    ("vary", "accept"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
)


def page_handler(*, has_keys: bool) -> Handler:
    """The handler of /. The page's files are read when a browser first asks for it."""

    @cache
    def page() -> Reply:
        from fastproxy.pages.inline import load_page

        html, policy = load_page("status", {"HAS_KEYS": str(has_keys).lower()})
        headers = (*_PAGE_HEADERS, ("content-security-policy", policy))
        return Reply(html.encode(), content_type="text/html; charset=utf-8", headers=headers)

    async def root(request: HttpRequest) -> Reply:
        """The page for a browser, the greeting for everybody else."""
        return page() if "text/html" in request.headers.get("accept", "") else await live(request)

    return root


def data_handler(
    authenticator: Authenticator,
    state: Callable[[], Json],
    history: History,
    flush: Callable[[], None],
    workers: int,
) -> Handler:
    """The handler of /status. `state` is that of /health, `flush` brings `history` up to date."""

    async def status(request: HttpRequest) -> Reply:
        """This worker's state and past. A key that may use only some models sees its own requests only."""
        caller = authenticator.identify(request.headers, request.address)
        sees_all = not caller.models
        flush()
        told = state()
        for name, fault in history.faults().items() if sees_all else ():
            told["providers"].setdefault(name, {})["last_error"] = fault
        told |= {
            "caller": {"name": caller.name, "has_key": caller.has_key, "sees_all": sees_all},
            "worker": {"pid": os.getpid(), "workers": workers},
            "now": time.time(),
            "seconds": history.seconds(time.monotonic()),
            "requests": history.requests(SHOWN_REQUESTS, None if sees_all else caller.name),
        }
        return Reply(orjson.dumps(told), headers=(("cache-control", "no-store"),))

    return status
