"""A request's body as a JSON object, or one clear error.

A key that is given twice counts as its last value, here and everywhere after: what is sent to a provider is
encoded anew from what was decided on, or passes only where no second reading of it can find another model.
"""

from __future__ import annotations

import orjson

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.http import HttpRequest
from fastproxy.inflate import inflate
from fastproxy.types import Json


async def load_json(request: HttpRequest) -> Json:
    """The JSON object in the body, which is left inflated. Raises ProxyError 400, 413 or 415.

    A missing content type is taken for JSON, as many clients forget it; a form or plain text is not: a
    web page may send those to this machine without asking.
    """
    if (kind := request.headers.get("content-type")) != "application/json" and kind:
        _require_json(kind)
    if (coding := request.headers.get("content-encoding")) is not None:
        request.body = await inflate(request.body, coding, request.body_limit)
    body = request.body
    if not body:
        raise ProxyError(ErrorKind.INVALID_JSON, "The body is empty; send a JSON object.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProxyError(ErrorKind.INVALID_JSON, f"The body is not valid JSON: {error}.") from None
    if not isinstance(value, dict):
        raise ProxyError(ErrorKind.INVALID_JSON, "The body must be a JSON object, {…}.")
    return value


def _require_json(content_type: str) -> None:
    kind = content_type.partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise ProxyError(
            ErrorKind.UNSUPPORTED_MEDIA_TYPE,
            f"The content type is {kind[:80]!r}; send JSON with `content-type: application/json`.",
        )
