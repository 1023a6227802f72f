"""A chat request in, the HTTP request to generateContent or streamGenerateContent out.

Only documented fields are sent: Google answers 400 to every other (source: Vertex AI's REST reference,
`GenerateContentRequest`).
"""

from __future__ import annotations

import re

import orjson

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import ChatRequest, Deployment, Dropped, Headers, Json, UpstreamRequest
from fastproxy.wire.gemini.content import invalid
from fastproxy.wire.gemini.generation import Generation, generation
from fastproxy.wire.gemini.model import Model, read_model
from fastproxy.wire.gemini.tools import ToolNames, declarations, tool_config
from fastproxy.wire.gemini.turns import conversation
from fastproxy.wire.vertex import model_url

_EXTENSIONS = {
    "safety_settings": "safety_settings", "safetySettings": "safety_settings",
    "cached_content": "cached_content", "cachedContent": "cached_content",
    "thinking_config": "thinking_config", "thinkingConfig": "thinking_config",
    "top_k": "top_k", "topK": "top_k",
    "labels": "labels",
}  # fmt: skip
"""Fields beyond OpenAI's that are understood, at the top level and in a `google` object."""
_SAFETY_KEYS = ("category", "threshold", "method")
_TIERS = ("flex", "priority")
_MAX_LABELS = 64
_LABEL = re.compile(r"[^a-z0-9_-]")


def build_request(request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
    """The upstream request, complete but for Google's token. Raises INVALID_REQUEST naming the field."""
    model = read_model(deployment.model)
    made, body = _body(request, model, deployment)
    method = "streamGenerateContent" if request.stream else "generateContent"
    return UpstreamRequest(
        url=model_url(deployment, method) + ("?alt=sse" if request.stream else ""),
        body=encoded(body),
        headers=request_headers(deployment) + _tier(request, made),
        dropped=tuple(made.dropped),
    )


def encoded(body: Json) -> bytes:
    """The body's bytes. Raises INVALID_REQUEST for values that no JSON can hold."""
    try:
        return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError) as error:
        raise ProxyError(
            ErrorKind.INVALID_REQUEST, f"The request cannot be written as JSON: {error}."
        ) from None


def request_headers(deployment: Deployment) -> Headers:
    """The deployment's own headers and the content type."""
    return (*deployment.headers, ("content-type", "application/json"))


def _body(request: ChatRequest, model: Model, deployment: Deployment) -> tuple[Generation, Json]:
    names = ToolNames(request.tools)
    extensions = _extensions(request.extra)
    made = generation(request, model, extensions)
    system, contents = conversation(request, model, names)
    if made.instruction:
        system = [*system, made.instruction]
    fields: Json = {
        "systemInstruction": {"parts": [{"text": text} for text in system]} if system else None,
        "contents": contents,
        "tools": _tools(request, model, names, made),
        "toolConfig": tool_config(request, names) if request.tools else None,
        "generationConfig": made.config,
        "safetySettings": _safety(extensions, deployment),
        "labels": _labels(request.parameters.get("metadata"), extensions.get("labels"), made.dropped),
        "cachedContent": _cached(extensions),
    }
    return made, {name: value for name, value in fields.items() if value}


def _extensions(extra: Json) -> Json:
    """The extensions under one spelling: the top level wins over `google`, that over `extra_body.google`."""
    nested = extra.get("extra_body")
    found: Json = {}
    for source in (extra, extra.get("google"), nested.get("google") if isinstance(nested, dict) else None):
        if isinstance(source, dict):
            for name, value in source.items():
                if name in _EXTENSIONS and value is not None:
                    found.setdefault(_EXTENSIONS[name], value)
    return found


def _tools(request: ChatRequest, model: Model, names: ToolNames, made: Generation) -> list[Json]:
    tools: list[Json] = []
    if request.tools:
        tools.append({"functionDeclarations": declarations(request, model, names)})
    if request.parameters.get("web_search_options") is not None:
        if tools and not model.mixes_tools:
            made.drop("web_search_options", f"{model.name} cannot search and call functions in one request.")
        else:
            tools.append({"googleSearch": {}})
    return tools


def _tier(request: ChatRequest, made: Generation) -> Headers:
    tier = request.parameters.get("service_tier")
    if tier in _TIERS:
        return (("x-vertex-ai-llm-shared-request-type", str(tier)),)
    if tier not in (None, "auto", "default"):
        made.drop("service_tier", f"Vertex AI knows the tiers {' and '.join(_TIERS)}.")
    return ()


def _safety(extensions: Json, deployment: Deployment) -> list[Json]:
    settings = extensions.get("safety_settings", deployment.options.get("safety_settings")) or []
    if not isinstance(settings, list | tuple) or not all(isinstance(item, dict) for item in settings):
        raise invalid("safety_settings must be a list of {category, threshold}.", "safety_settings")
    return [{key: str(item[key]) for key in _SAFETY_KEYS if item.get(key)} for item in settings]


def _cached(extensions: Json) -> str | None:
    name = extensions.get("cached_content")
    if name is not None and not isinstance(name, str):
        raise invalid("cached_content must be the name of a cache.", "cached_content")
    return name


def _labels(metadata: object, labels: object, dropped: list[Dropped]) -> Json:
    """Labels for billing reports: lower case, 63 characters, beginning with a letter, 64 of them."""
    made: Json = {}
    for name, source in (("labels", labels), ("metadata", metadata)):
        if source is not None and not isinstance(source, dict):
            raise invalid(f"{name} must be an object.", name)
        for key, value in (source or {}).items():
            label = _LABEL.sub("_", str(key).lower())[:63]
            fits = label[:1].isalpha() and (label in made or len(made) < _MAX_LABELS)
            if not fits or isinstance(value, dict | list):
                dropped.append(Dropped(f"{name}.{key}", "It can be no label of Vertex AI."))
            else:
                made.setdefault(label, _LABEL.sub("_", str(value).lower())[:63])
    return made
