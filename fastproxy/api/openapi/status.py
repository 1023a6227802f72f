"""The data of the status page, in OpenAPI's words."""

from __future__ import annotations

from fastproxy.api.openapi.words import (
    ANY_OBJECT,
    FLAG,
    INTEGER,
    NUMBER,
    SIZE,
    make_list,
    make_object,
    or_null,
    ref,
    said,
    text,
)
from fastproxy.types import Json

_TIMES = make_list(or_null(NUMBER))
_COUNTS = make_list(SIZE)

STATUS: Json = {
    "FinishedRequest": make_object(
        "id at path caller model provider status duration_ms",
        {
            "id": text("Its x-request-id."),
            "at": said(NUMBER, "Unix time of its end."),
            "path": text(),
            "caller": text("The name of the key."),
            "model": text("As it was asked for."),
            "provider": text('Who answered, or was asked last; "": nobody was.'),
            "provider_model": text(),
            "stream": FLAG,
            "status": INTEGER,
            "error_code": text(),
            "client_gone": FLAG,
            "attempts": SIZE,
            "duration_ms": NUMBER,
            "first_token_ms": said(or_null(NUMBER), "Streams only."),
            "overhead_ms": said(or_null(NUMBER), "What the proxy added until the answer began."),
            "input_tokens": or_null(SIZE),
            "output_tokens": or_null(SIZE),
        },
        "What happened to one request; never what was said in it.",
    ),
    "Seconds": make_object(
        "requests errors",
        {
            "requests": _COUNTS,
            "errors": _COUNTS,
            "overhead_p50_ms": _TIMES,
            "overhead_p99_ms": _TIMES,
            "first_token_p50_ms": _TIMES,
            "first_token_p99_ms": _TIMES,
        },
        "The last 120 whole seconds, the oldest first, by the ends of their requests.",
    ),
    "StatusData": make_object(
        "status version uptime_seconds in_flight waiting providers caller worker now seconds requests",
        {
            "status": text(enum=["ok", "draining"]),
            "version": text(),
            "uptime_seconds": NUMBER,
            "in_flight": SIZE,
            "waiting": SIZE,
            "tasks": SIZE,
            "log_bodies": said(FLAG, "Whether what is said is logged."),
            "providers": said(ANY_OBJECT, "As in Health, each with its `last_error` where it had one."),
            "caller": make_object(
                "name has_key sees_all", {"name": text(), "has_key": FLAG, "sees_all": FLAG}
            ),
            "worker": make_object("pid workers", {"pid": SIZE, "workers": SIZE}),
            "now": said(NUMBER, "Unix time here."),
            "seconds": ref("Seconds"),
            "requests": said(make_list(ref("FinishedRequest")), "The last 50, the newest first."),
        },
        "The state and the last two minutes of the worker process that answers.",
    ),
}
"""The components of /status, by name."""
