"""The OpenAPI 3.1 document of the routes that are registered, and of no others."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fastproxy import __version__
from fastproxy.api.openapi.answers import ANSWERS
from fastproxy.api.openapi.completions import COMPLETIONS
from fastproxy.api.openapi.messages import MESSAGES
from fastproxy.api.openapi.operations import OPERATIONS
from fastproxy.api.openapi.requests import REQUESTS
from fastproxy.api.openapi.responses import RESPONSES
from fastproxy.api.openapi.status import STATUS
from fastproxy.types import Json

Route = tuple[str, str]
"""(method, path as Robyn writes it)."""
ALIASES = "x-aliases"
METHODS = ("get", "post", "delete")
_DESCRIPTION = (
    "A fast local and sidecar proxy: any OpenAI client to Gemini (Vertex AI), Claude, DeepSeek, Ollama and "
    "any OpenAI-compatible server. Point a client's base URL at `/v1`. Every fault is answered with OpenAI's "
    "error envelope."
)
_PARAMETER = re.compile(r"[:*](\w+)")
_REFERENCE = re.compile(r"#/components/schemas/(\w+)")


def openapi_path(path: str) -> str:
    """A path of Robyn's in OpenAPI's writing: `/a/:id` and `/a/*id` as `/a/{id}`."""
    return _PARAMETER.sub(r"{\1}", path)


def make_document(routes: Iterable[Route]) -> Json:
    """The document. A path that clients make of a wrong base URL (`/v1/v1/...`) stands in the `x-aliases` of
    the path it is another name of."""
    paths: dict[str, Json] = {}
    aliases: dict[str, set[str]] = {}
    for method, path in sorted(routes):
        written = openapi_path(path)
        canonical = _canonical(written)
        operation = OPERATIONS.get(canonical, {}).get(method.lower())
        if operation is None:
            continue
        if written == canonical:
            paths[canonical] = OPERATIONS[canonical]
        else:
            aliases.setdefault(canonical, set()).add(written)
    return {
        "openapi": "3.1.0",
        "info": {"title": "fastproxy", "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": {
            path: {**paths[path], **({ALIASES: sorted(aliases[path])} if path in aliases else {})}
            for path in OPERATIONS
            if path in paths
        },
        "components": {
            "schemas": _reachable(paths),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of `auth.keys`. Where none is configured, this machine needs none.",
                }
            },
        },
    }


def _canonical(path: str) -> str:
    if path in OPERATIONS:
        return path
    ends = [known for known in OPERATIONS if path.endswith(known.removeprefix("/v1"))]
    return max(ends, key=len, default=path)


def _reachable(paths: Json) -> Json:
    """The components that these paths use, and those that they use in turn."""
    components: Json = {**REQUESTS, **ANSWERS, **MESSAGES, **RESPONSES, **COMPLETIONS, **STATUS}
    waiting, found = _REFERENCE.findall(str(paths)), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _REFERENCE.findall(str(components[name]))
    return {name: schema for name, schema in components.items() if name in found}
