"""The status page and its data: who gets which, and what is told to whom."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from fastproxy.api.status import data_handler, page_handler
from fastproxy.app import App
from fastproxy.auth import Authenticator
from fastproxy.config import Settings
from fastproxy.errors import ProxyError
from fastproxy.http import HttpRequest, Reply
from fastproxy.observability.history import History
from fastproxy.observability.record import RequestRecord

CHROMES = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@dataclass
class Key:
    name: str
    models: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()


def get(path: str, **headers: str) -> HttpRequest:
    return HttpRequest("GET", path, headers, b"", address="127.0.0.1")


def past() -> History:
    made = History()
    made.add(
        [
            RequestRecord("r1", "POST", "/", caller="whole", asked_model="m", ended=1.0, status=200),
            RequestRecord(
                "r2",
                "POST",
                "/",
                caller="part",
                provider="p",
                error_code="overloaded",
                error_message="p is busy",
                failed_attempts=(("p", "overloaded"),),
                ended=1.0,
                status=503,
            ),
        ]
    )
    return made


async def data(keys: list[Key], **headers: str) -> dict[str, Any]:
    flushed: list[bool] = []
    handler = data_handler(
        Authenticator(keys),
        lambda: {"status": "ok", "providers": {"p": {"state": "on"}}},
        past(),
        lambda: flushed.append(True),
        2,
    )
    reply = await handler(get("/status", **headers))
    assert flushed
    assert dict(reply.headers)["cache-control"] == "no-store"
    told: dict[str, Any] = orjson.loads(reply.body)
    return told


async def root(**headers: str) -> Reply:
    return await page_handler(has_keys=False)(get("/", **headers))


async def test_a_browser_gets_the_page() -> None:
    reply = await root(accept=CHROMES)
    assert reply.content_type == "text/html; charset=utf-8"
    assert reply.body.startswith(b"<!doctype html>")
    headers = dict(reply.headers)
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["vary"] == "accept"


@pytest.mark.parametrize("headers", [{}, {"accept": "*/*"}, {"accept": "application/json"}])
async def test_everybody_else_is_greeted(headers: dict[str, str]) -> None:
    assert (await root(**headers)).body == b'{"status":"ok"}'


async def test_the_data_want_a_key_where_there_are_keys() -> None:
    with pytest.raises(ProxyError) as refused:
        await data([Key("whole")])
    assert refused.value.status == 401
    with pytest.raises(ProxyError):
        await data([Key("whole")], authorization="Bearer wrong")


async def test_the_data_want_this_machine_where_there_are_none() -> None:
    assert (await data([]))["caller"] == {"name": "local", "has_key": False, "sees_all": True}
    with pytest.raises(ProxyError) as refused:
        await data([], **{"x-forwarded-for": "1.2.3.4"})
    assert "tunnel" in refused.value.message


async def test_a_key_for_all_models_sees_all_requests_and_errors() -> None:
    told = await data([Key("whole")], authorization="Bearer whole")
    assert [request["id"] for request in told["requests"]] == ["r2", "r1"]
    assert told["providers"]["p"]["last_error"]["message"] == "p is busy"
    assert told["worker"]["workers"] == 2
    assert len(told["seconds"]["requests"]) == 120


async def test_a_key_for_some_models_sees_its_own_requests_only() -> None:
    told = await data([Key("part", models=("demo-*",))], authorization="Bearer part")
    assert [request["id"] for request in told["requests"]] == ["r2"]
    assert told["providers"]["p"] == {"state": "on"}
    assert told["caller"] == {"name": "part", "has_key": True, "sees_all": False}


async def test_the_page_can_be_switched_off() -> None:
    app = App(Settings.model_validate({"server": {"status_page": False}}), {})
    assert ("GET", "/status") not in app.asgi.routes
    handler, _ = app.asgi.find("GET", "/")
    reply = await handler(get("/", accept=CHROMES))
    assert isinstance(reply, Reply)
    assert reply.body == b'{"status":"ok"}'
