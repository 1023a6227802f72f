"""What each path does, in OpenAPI's words: one entry a canonical path and method."""

from __future__ import annotations

from collections.abc import Mapping

from fastproxy.api.openapi.words import ref, text
from fastproxy.types import Json

_REFUSALS = {
    "400": "The request is wrong; `param` names the field.",
    "401": "No key, or a wrong one; without configured keys: not from this machine.",
    "403": "The key may not use this model.",
    "404": "There is no such model, or its provider is off: the message says why.",
    "408": "The body did not arrive in time.",
    "413": "The body is larger than server.max_body_bytes, as sent or inflated.",
    "415": "The content type or content encoding is not taken.",
    "429": "A limit is reached; see `retry-after`.",
    "500": "A fault of the proxy; its log tells more under the answer's x-request-id.",
    "502": "The provider failed.",
    "503": "Overloaded or shutting down; see `retry-after`.",
    "504": "The provider did not answer in time.",
}
_ANSWER_HEADERS = {
    "x-request-id": "The client's own, where it is sane, else ours.",
    "x-fastproxy-provider": "Who answered.",
    "x-fastproxy-model": "The model's name there.",
    "x-fastproxy-attempts": "How many attempts it took.",
    "x-fastproxy-warning": "Parameters that were not sent to the provider.",
    "server-timing": "Where the time went.",
}


def _json(schema: str) -> Json:
    return {"application/json": {"schema": ref(schema)}}


def _good(content: Json, description: str) -> Json:
    return {"200": {"description": description, "content": content}}


def _refusals(*statuses: str, envelope: str = "Error") -> Json:
    return {
        status: {"description": _REFUSALS[status], "content": _json(envelope)}
        for status in statuses or _REFUSALS
    }


def _headers() -> Json:
    return {
        name: {"description": said, "schema": {"type": "string"}} for name, said in _ANSWER_HEADERS.items()
    }


def _post(
    summary: str, operation: str, request: str, answer: Json, description: str = "", envelope: str = "Error"
) -> Json:
    """An operation that asks a provider."""
    good = {**answer, "headers": _headers()}
    return {
        "post": {
            "operationId": operation,
            "summary": summary,
            **({"description": description} if description else {}),
            "tags": ["models"],
            "security": [{"key": []}, {}],
            "requestBody": {"required": True, "content": _json(request)},
            "responses": {"200": good, **_refusals(envelope=envelope)},
        }
    }


def _get(summary: str, operation: str, tag: str, responses: Json, *, open_to_all: bool = False) -> Json:
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "tags": [tag],
            "security": [{}] if open_to_all else [{"key": []}, {}],
            "responses": {**responses, **({} if open_to_all else _refusals("400", "401"))},
        }
    }


_CHAT = _post(
    "Chat with a model",
    "createChatCompletion",
    "ChatCompletionRequest",
    {
        "description": "The whole answer; with `stream` its events, then `data: [DONE]`.",
        "content": {
            **_json("ChatCompletion"),
            "text/event-stream": {
                "schema": text("Events `data: ` + ChatCompletionChunk, comments (`: ping`), `data: [DONE]`."),
                "x-event-schema": ref("ChatCompletionChunk"),
            },
        },
    },
    "OpenAI's Chat Completions for every provider. The body may be compressed (content-encoding "
    "gzip, deflate or zstd).",
)
_DEPLOYMENT_CHAT = _post(
    "Chat with the model that the path names",
    "createDeploymentChatCompletion",
    "DeploymentChatCompletionRequest",
    _CHAT["post"]["responses"]["200"],
    "As clients of Azure OpenAI ask: the deployment is the model, the key may stand in `api-key`, and "
    "`api-version` is not read.",
)
_DEPLOYMENT_CHAT["parameters"] = [
    {"name": "deployment", "in": "path", "required": True, "schema": text("A model; it may hold slashes.")}
]
_COMPLETE = _post(
    "Go on with a text, or fill a gap in it",
    "createCompletion",
    "CompletionRequest",
    {
        "description": "The whole answer; with `stream` its events, then `data: [DONE]`.",
        "content": {
            **_json("Completion"),
            "text/event-stream": {
                "schema": text("Events `data: ` + Completion, comments (`: ping`), `data: [DONE]`."),
                "x-event-schema": ref("Completion"),
            },
        },
    },
)
_EMBED = _post(
    "Turn texts into vectors",
    "createEmbedding",
    "EmbeddingsRequest",
    {"description": "One vector for each text.", "content": _json("Embeddings")},
)
_MESSAGES = _post(
    "Talk with a model in Anthropic's words",
    "createMessage",
    "MessagesRequest",
    {
        "description": "The whole answer; with `stream` its events.",
        "content": {
            **_json("AnthropicMessage"),
            "text/event-stream": {
                "schema": text("Events `event: TYPE`, `data: ` + MessagesEvent."),
                "x-event-schema": ref("MessagesEvent"),
            },
        },
    },
    "Anthropic's Messages API for every provider.",
    "AnthropicError",
)
_COUNT = _post(
    "Count the tokens of a Messages body",
    "countTokens",
    "CountTokensRequest",
    {"description": "Counted by Anthropic, else estimated.", "content": _json("TokenCount")},
    envelope="AnthropicError",
)
_RESPOND = _post(
    "Talk with a model by the Responses API",
    "createResponse",
    "ResponsesRequest",
    {
        "description": "The whole answer; with `stream` its events.",
        "content": {
            **_json("Response"),
            "text/event-stream": {
                "schema": text("Events `event: TYPE`, `data: ` + ResponseEvent."),
                "x-event-schema": ref("ResponseEvent"),
            },
        },
    },
)
_ONE_MODEL = _get(
    "One model",
    "retrieveModel",
    "models",
    {**_good(_json("Model"), "The model."), **_refusals("404")},
)
_ONE_MODEL["parameters"] = [
    {
        "name": "model",
        "in": "path",
        "required": True,
        "description": "Slashes and colons belong to the name.",
        "schema": text(minLength=1),
    }
]
_STORED: Json = {
    method: {
        "operationId": f"{method}Response",
        "summary": "Always 404: responses are not stored here",
        "tags": ["models"],
        "security": [{"key": []}, {}],
        "responses": _refusals("400", "401", "404"),
    }
    for method in ("get", "delete")
}
_STORED["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": text(minLength=1)}]
_TEXT = {"text/plain": {"schema": text()}}

OPERATIONS: Mapping[str, Json] = {
    "/v1/chat/completions": _CHAT,
    "/openai/deployments/{deployment}/chat/completions": _DEPLOYMENT_CHAT,
    "/v1/completions": _COMPLETE,
    "/v1/embeddings": _EMBED,
    "/v1/responses": _RESPOND,
    "/v1/responses/{id}": _STORED,
    "/v1/messages": _MESSAGES,
    "/v1/messages/count_tokens": _COUNT,
    "/v1/models": _get(
        "The models that this key may use",
        "listModels",
        "models",
        _good(_json("ModelList"), "Only what can really be called."),
    ),
    "/v1/models/{model}": _ONE_MODEL,
    "/health": _get(
        "Version, load, and each provider's state",
        "getHealth",
        "operation",
        _good(_json("Health"), "No secrets, no network."),
        open_to_all=True,
    ),
    "/health/live": _get(
        "Whether the process answers at all",
        "getLiveness",
        "operation",
        _good(_json("Status"), "It does."),
        open_to_all=True,
    ),
    "/health/ready": _get(
        "Whether new requests are taken",
        "getReadiness",
        "operation",
        {
            **_good(_json("Status"), "They are."),
            "503": {"description": "Shutting down.", "content": _json("Status")},
        },
        open_to_all=True,
    ),
    "/": _get(
        "The status page for browsers; for others, whether anybody is there",
        "getRoot",
        "operation",
        _good(
            {**_json("Status"), "text/html": {"schema": text()}},
            "The page where `accept` asks for text/html (unless server.status_page is off).",
        ),
        open_to_all=True,
    ),
    "/status": _get(
        "What the status page shows",
        "getStatus",
        "operation",
        _good(_json("StatusData"), "No content. A key that may use only some models sees its own requests."),
    ),
    "/api/hello": _get(
        "Whether anybody is there", "getHello", "operation", _good(_json("Status"), "As /."), open_to_all=True
    ),
    "/metrics": _get(
        "Metrics in Prometheus' text format", "getMetrics", "operation", _good(_TEXT, "All metrics.")
    ),
    "/openapi.json": _get(
        "This document",
        "getOpenapi",
        "documentation",
        _good({"application/json": {"schema": {"type": "object"}}}, "OpenAPI 3.1."),
        open_to_all=True,
    ),
    "/docs": _get(
        "This document as a page",
        "getDocs",
        "documentation",
        _good({"text/html": {"schema": text()}}, "One page that loads nothing else."),
        open_to_all=True,
    ),
}
"""Canonical path -> OpenAPI's path item. Other paths to the same handler are aliases (`document.py`)."""
