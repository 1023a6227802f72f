"""GET /openapi.json and /docs: what is served here, for programs and for people. Open: it holds no secret."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import cache

import orjson

from fastproxy.http import HttpRequest, Reply
from fastproxy.types import Json

Handler = Callable[[HttpRequest], Awaitable[Reply]]
_CACHE = ("cache-control", "max-age=300")


def handlers(routes: Iterable[tuple[str, str]]) -> tuple[Handler, Handler]:
    """The handlers of /openapi.json and /docs. `routes` are (method, path), read at the first request; only
    then is the document made and its code imported."""

    @cache
    def document() -> Json:
        from fastproxy.api.openapi.document import make_document

        return make_document(routes)

    @cache
    def page() -> Reply:
        from fastproxy.api.openapi.page import CONTENT_SECURITY_POLICY, render_page

        headers = (_CACHE, ("content-security-policy", CONTENT_SECURITY_POLICY))
        return Reply(
            render_page(document()).encode(), content_type="text/html; charset=utf-8", headers=headers
        )

    async def openapi(_request: HttpRequest) -> Reply:
        """The OpenAPI 3.1 document."""
        return Reply(orjson.dumps(document()), headers=(_CACHE,))

    async def docs(_request: HttpRequest) -> Reply:
        """The document as a page."""
        return page()

    return openapi, docs
