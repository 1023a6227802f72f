"""Every fault of a provider, and what becomes of it: the table behind docs/failure-modes.md and its tests.

The tests play each fault at a mock upstream and compare. A fault meets a request in one of four phases; where
it reaches the client it is the same error, but for its form: an ordinary error response, or an event in a
stream whose headers have gone out, which then has no end marker.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from testkit.faults import BEFORE, EARLY, HEARTBEAT, MIDSTREAM, UNARY, Effect, Fault, Json
from testkit.mock import GARBAGE, HALF_A_HEAD


def _same(effect: Effect, *phases: str) -> dict[str, Effect]:
    return dict.fromkeys(phases or EARLY, effect)


def _error(status: int, message: str = "so it is", **more: Any) -> Json:
    return {"status": status, "json": {"error": {"message": message, **more}}}


def _status(status: int, what: str, effect: Effect, **reply: Any) -> Fault:
    return Fault(str(status), what, _error(status) | reply, _same(effect))


_BUSY = Effect(503, "overloaded", retried=True, falls_back=True, counted=True)
_BROKEN = Effect(502, "bad_response", retried=True, falls_back=True, counted=True)
_CUT = Effect(502, "connection_failed", retried=True, falls_back=True, counted=True)
_LATE = Effect(504, "total_timeout", retried=True, falls_back=True, counted=True)
_WRONG = Effect(400, "invalid_request")
_REFUSED = Effect(502, "upstream_auth_failed", falls_back=True)
_TOO_MANY = Effect(429, "rate_limit_exceeded", retried=True, falls_back=True)
_SILENT = Effect(504, "first_token_timeout", falls_back=True, counted=True)
_NO_TIME = Effect(504, "total_timeout", counted=True)
_HTML: Json = {"body": "<html><title>Bad gateway</title></html>", "headers": {"content-type": "text/html"}}
_STALLS: Json = {"chunks": [], "end": "stall"}
_CUTS: Json = {"chunks": [], "end": "close"}
_RESETS: Json = {"framing": "raw", "chunks": [], "end": "reset"}


def _midstream(code: str, status: int = 502) -> dict[str, Effect]:
    return {MIDSTREAM: Effect(status, code, counted=True)}


STATUSES = [
    _status(400, "the request is wrong", _WRONG),
    _status(401, "our credential is refused", _REFUSED),
    _status(402, "the account is empty", Effect(429, "insufficient_quota", falls_back=True)),
    _status(403, "our credential may not do this", _REFUSED),
    _status(404, "it has no such model", Effect(404, "model_not_found")),
    _status(408, "it waited too long for something", _LATE),
    _status(413, "the request is too large", Effect(413, "request_too_large")),
    _status(422, "the request is wrong in detail", _WRONG),
    _status(429, "too many requests", _TOO_MANY),
    Fault(
        "429-long",
        "429 and a `retry-after` of more than 4 s",
        _error(429) | {"headers": {"retry-after": "30"}},
        _same(Effect(429, "rate_limit_exceeded", falls_back=True, retry_after="30")),
    ),
    _status(500, "an error of its own", _BROKEN),
    _status(502, "its front end cannot reach it", _BROKEN),
    _status(503, "it is overloaded or being restarted", _BUSY),
    _status(504, "its front end gave up waiting", _LATE),
    _status(529, "it is overloaded (Anthropic's status)", _BUSY),
    _status(
        302, "a redirect, which is not followed", _BROKEN, headers={"location": "http://elsewhere.invalid"}
    ),
]
BODIES = [
    Fault("502-html", "502 with a page of HTML", {"status": 502, **_HTML}, _same(_BROKEN)),
    Fault("500-empty", "500 with an empty body", {"status": 500}, _same(_BROKEN)),
    Fault("200-html", "200 with a page of HTML", _HTML, _same(_BROKEN)),
    Fault("200-empty", "200 with an empty body", {"status": 200}, _same(_BROKEN)),
    Fault("200-invalid-json", "200 with half a JSON text", {"body": '{"id": "x", "choi'}, _same(_BROKEN)),
    Fault(
        "200-error",
        "200 with an error inside",
        {"json": {"error": {"message": "busy", "code": 503}}},
        _same(_BUSY, UNARY),
    ),
    Fault(
        "event-error",
        "a stream that begins with an error event",
        {"chunks": ['data: {"error":{"message":"busy","code":503}}\n\n']},
        _same(_BUSY, BEFORE, HEARTBEAT),
    ),
    Fault(
        "event-400",
        "a stream that begins with an error event about the request",
        {"chunks": ['data: {"error":{"message":"no","type":"invalid_request_error","code":400}}\n\n']},
        _same(_WRONG, BEFORE, HEARTBEAT),
    ),
    Fault(
        "no-answer", "a stream that ends without an answer", {"chunks": []}, _same(_BROKEN, BEFORE, HEARTBEAT)
    ),
]
CONNECTIONS = [
    Fault("refused", "nobody listens there", {}, _same(_CUT), "refused"),
    Fault("dns", "its name cannot be resolved", {}, _same(_CUT), "nameless"),
    Fault("tls", "it does not speak TLS", {}, _same(_CUT), "tls"),
    Fault("reset", "the connection is reset", _RESETS, _same(_CUT)),
    Fault(
        "closed", "the connection is closed", {"framing": "raw", "chunks": [], "end": "close"}, _same(_CUT)
    ),
    Fault("half-a-head", "the connection ends within the headers", HALF_A_HEAD, _same(_CUT)),
    Fault("garbage", "what comes is no HTTP", GARBAGE, _same(_CUT)),
    Fault(
        "truncated",
        "the connection ends before the body does",
        {"chunks": ['{"id":'], "end": "close"},
        _same(_CUT),
    ),
    Fault(
        "silence",
        "it says nothing, not even headers",
        {"framing": "raw", "chunks": [], "end": "stall"},
        {UNARY: _NO_TIME, BEFORE: _SILENT, HEARTBEAT: _SILENT},
        "hasty",
    ),
    Fault(
        "headers-alone",
        "headers come, and then nothing",
        _STALLS,
        {UNARY: _NO_TIME, BEFORE: _SILENT, HEARTBEAT: _SILENT},
        "hasty",
    ),
    Fault(
        "keep-alives-alone",
        "keep-alives come, and no content",
        {"chunks": [": keep-alive\n\n"], "repeat": 100, "delay_between_ms": 50},
        {BEFORE: _SILENT, HEARTBEAT: _SILENT},
        "hasty",
    ),
]
BREAKS = [
    Fault(
        "stream-cut",
        "the connection is closed",
        {"chunks": [], "end": "close"},
        _midstream("connection_failed"),
    ),
    Fault(
        "stream-reset",
        "the connection is reset",
        {"chunks": [], "end": "reset"},
        _midstream("connection_failed"),
    ),
    Fault("stream-short", "the stream ends without a finish", {"chunks": []}, _midstream("bad_response")),
    Fault("stream-stalls", "the stream falls silent", _STALLS, _midstream("idle_timeout", 504), "hasty"),
    Fault(
        "stream-late",
        "the stream goes on for longer than `total_timeout`",
        {"chunks": [": keep-alive\n\n"], "repeat": 60, "delay_between_ms": 50},
        _midstream("total_timeout", 504),
        "hasty",
    ),
    Fault(
        "stream-error",
        "an error event",
        {"chunks": ['data: {"error":{"message":"busy","code":503}}\n\n'], "end": "stall"},
        _midstream("overloaded", 503),
    ),
    Fault(
        "stream-garbage",
        "an event that is no JSON",
        {"chunks": ["data: {oops\n\n"], "end": "stall"},
        _midstream("bad_response"),
    ),
]


def _elsewhere(provider: str, error: Json, in_stream: str) -> list[Fault]:
    """The same faults in another wire format: `error` is its body of an error, `in_stream` its event."""
    silent = {UNARY: _NO_TIME, BEFORE: _SILENT, HEARTBEAT: _SILENT}
    sample = [
        Fault("400", "the request is wrong", {"status": 400, "json": error}, _same(_WRONG)),
        Fault("503", "it is overloaded or being restarted", {"status": 503, "json": error}, _same(_BUSY)),
        Fault("502-html", "502 with a page of HTML", {"status": 502, **_HTML}, _same(_BROKEN)),
        Fault("200-invalid-json", "200 with half a JSON text", {"body": '{"id": "x'}, _same(_BROKEN, UNARY)),
        Fault(
            "reset", "the connection is reset", {"framing": "raw", "chunks": [], "end": "reset"}, _same(_CUT)
        ),
        Fault("headers-alone", "headers come, and then nothing", _STALLS, silent),
        Fault(
            "stream-cut",
            "the connection is closed",
            {"chunks": [], "end": "close"},
            _midstream("connection_failed"),
        ),
        Fault("stream-stalls", "the stream falls silent", _STALLS, _midstream("idle_timeout", 504)),
        Fault(
            "stream-error",
            "an error event",
            {"chunks": [in_stream], "end": "stall"},
            _midstream("overloaded", 503),
        ),
    ]
    return [Fault(fault.name, fault.what, fault.reply, fault.effects, provider) for fault in sample]


_CLAUDE_BUSY = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
_CLAUDE_EVENT = f"event: error\ndata: {orjson.dumps(_CLAUDE_BUSY).decode()}\n\n"
_GOOGLE_BUSY = {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}
OTHERS = [
    *_elsewhere("ollama", {"error": "busy"}, '{"error":"server busy, please try again"}\n'),
    *_elsewhere(
        "vertex", {"error": {"message": "busy"}}, f"data: {orjson.dumps(_GOOGLE_BUSY).decode()}\r\n\r\n"
    ),
    *_elsewhere(
        "anthropic",
        {"type": "error", "error": {"message": "busy"}},
        _CLAUDE_EVENT,
    ),
]


def _claude_error(status: int) -> Json:
    return {
        "status": status,
        "json": {"type": "error", "error": {"type": "api_error", "message": "so it is"}},
    }


_CLI = [
    Fault("400", "Anthropic finds the request wrong", _claude_error(400), _same(_WRONG)),
    Fault("401", "the CLI's credential is refused", _claude_error(401), _same(_REFUSED)),
    Fault("429", "too many requests", _claude_error(429), _same(_TOO_MANY)),
    Fault("500", "an error of Anthropic's own", _claude_error(500), _same(_BROKEN)),
    Fault("529", "Anthropic is overloaded", _claude_error(529), _same(_BUSY)),
    Fault("reset", "the CLI's connection is reset", _RESETS, _same(_BROKEN)),
    Fault(
        "stream-cut",
        "the CLI's connection is closed",
        {"chunks": [], "end": "close"},
        _midstream("bad_response"),
    ),
    Fault("stream-stalls", "the stream falls silent", _STALLS, _midstream("idle_timeout", 504)),
    Fault(
        "stream-error",
        "an error event",
        {"chunks": [_CLAUDE_EVENT], "end": "stall"},
        _midstream("bad_response"),
    ),
]
CLI = [Fault(fault.name, fault.what, fault.reply, fault.effects, "claude") for fault in _CLI]
SECTIONS = {
    "It answers, but not with 200": STATUSES,
    "It answers something else than an answer": BODIES,
    "It does not answer": CONNECTIONS,
    "It breaks off in the middle of a stream": BREAKS,
    "The same in other wire formats": OTHERS,
    "The same behind the claude CLI": CLI,
}


def cells() -> Iterator[tuple[Fault, str, Effect]]:
    """Every (fault, phase) and its effect."""
    for faults in SECTIONS.values():
        for fault in faults:
            for phase, effect in fault.effects.items():
                yield fault, phase, effect
