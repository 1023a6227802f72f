"""Requests as bytes, and answers recognised in bytes: the load generator's HTTP/1.1, and no more of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
OK = b"HTTP/1.1 200"
PATH = "/v1/chat/completions"


def http_request(url: str, body: dict[str, Any], api_key: str = "") -> bytes:
    """The bytes of a POST to /v1/chat/completions."""
    return post(f"{url}{PATH}", headers_with(api_key), orjson.dumps(body))


def headers_with(api_key: str) -> dict[str, str]:
    """The headers of a JSON request, with this key where there is one."""
    key = {"authorization": f"Bearer {api_key}"} if api_key else {}
    return {"content-type": "application/json", **key}


def post(url: str, headers: Mapping[str, str], payload: bytes) -> bytes:
    """The bytes of a POST to `http://HOST:PORT/PATH`."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    sent = {"host": parts.netloc, **headers, "content-length": str(len(payload))}
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join([*lines, "", ""]).encode() + payload


def address(url: str) -> tuple[str, int]:
    """Host and port of `http://HOST:PORT`."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        raise ValueError(f"not of the form http://HOST:PORT: {url}")
    return parts.hostname, parts.port


def chat_body(model: str, *, stream: bool = False, size: int = 0) -> dict[str, Any]:
    """A chat request as SDKs send it: small, or of about `size` bytes."""
    message = {"role": "user", "content": "Say hello to the benchmark in a few words, please."}
    body: dict[str, Any] = {"model": model, "messages": [message], "temperature": 0.5, "stream": stream}
    missing = size - len(orjson.dumps(body))
    if missing > 0:
        text = "It goes on with words of no meaning. "
        message["content"] += (text * (missing // len(text) + 1))[:missing]
    return body


def is_whole(received: bytes) -> bool:
    """Whether these bytes hold a complete HTTP response."""
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    length = _LENGTH.search(received, 0, head_end)
    if length is None:
        return received.endswith(b"0\r\n\r\n")
    return len(received) >= head_end + 4 + int(length[1])
