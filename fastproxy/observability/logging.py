"""One structured log line a request, and everything else that the process says; JSON or readable.

No line ever holds a prompt, an answer or a key: the fields of a request line are picked one by one.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from fastproxy.observability.record import MAX_NAME, RequestRecord
from fastproxy.wire.events import Usage

_NAMES = ("caller", "model", "provider", "finish")
_NAMES_OF_A_FAULT = (*_NAMES, "error_code", "error_message", "upstream_status")
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def is_json(log_format: str) -> bool:
    """Whether lines are JSON: "auto" means readable text on a terminal, and JSON elsewhere."""
    return log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())


def configure(level: str, log_format: str) -> None:
    """Sets up all logging of this process, to standard error. `log_format`: auto, json or text."""
    as_json = is_json(log_format)
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=orjson.dumps)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_plain)
    )
    factory: Any = (
        structlog.BytesLoggerFactory(sys.stderr.buffer)
        if as_json
        else structlog.PrintLoggerFactory(sys.stderr)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    _route_standard_logging(_LEVELS[level])


def _plain(stream: Any, exc_info: Any) -> None:
    structlog.dev.plain_traceback(stream, exc_info)


class _IntoStructlog(logging.Handler):
    """What libraries log, in the same form and place as our own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger()
        name = record.levelname.lower()
        write = getattr(logger, name if name in ("debug", "info", "warning", "error") else "error")
        write(record.getMessage(), logger=record.name, exc_info=record.exc_info or None)


def _route_standard_logging(level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_IntoStructlog()]
    root.setLevel(max(level, logging.INFO))
    for chatty in ("httpx", "httpcore", "robyn", "_granian", "granian", "asyncio"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))


def request_writer(level: str, log_format: str) -> Callable[[Sequence[RequestRecord]], None]:
    """Writes the lines of finished requests (they are of level info)."""
    if _LEVELS[level] > logging.INFO:
        return lambda _records: None
    return _write_json if is_json(log_format) else _write_text


def _write_json(records: Sequence[RequestRecord]) -> None:
    # not through structlog: its chain of processors costs more than encoding the line
    lines = [
        orjson.dumps(
            {
                "event": "request",
                "level": "info",
                "timestamp": datetime.fromtimestamp(record.ended_at, UTC),
                **request_fields(record),
            },
            option=orjson.OPT_UTC_Z,
        )
        for record in records
    ]
    sys.stderr.buffer.write(b"\n".join(lines) + b"\n")
    sys.stderr.buffer.flush()


def _write_text(records: Sequence[RequestRecord]) -> None:
    logger = structlog.get_logger()
    for record in records:
        logger.info("request", **request_fields(record))


def request_fields(record: RequestRecord) -> dict[str, Any]:
    """The fields of a request's line. Durations in milliseconds."""
    fields: dict[str, Any] = {
        "request_id": record.id,
        "method": record.method,
        "path": record.path[:MAX_NAME],
        "status": record.status,
        "duration_ms": _ms(record.ended - record.started),
        "overhead_ms": _ms(record.overhead_seconds),
        "upstream_ms": _ms(record.waited_seconds),
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
    }
    if record.limit_seconds:
        fields["limit_ms"] = _ms(record.limit_seconds)
    if record.stream:
        fields["stream"] = True
        fields["time_to_first_token_ms"] = _ms(record.time_to_first_token)
    for name in _NAMES if not record.error_code else _NAMES_OF_A_FAULT:
        if value := getattr(record, name):
            fields[name] = value
    if record.asked_model not in ("", record.model):
        fields["asked_model"] = record.asked_model[:MAX_NAME]
    if record.attempts > 1 or record.failed_attempts or record.skipped or record.dropped:
        fields |= _troubles(record)
    if record.client_gone:
        fields["client_gone"] = True
    if record.usage is not None:
        _add_tokens(fields, record.usage)
    return fields


def _add_tokens(fields: dict[str, Any], usage: Usage) -> None:
    fields["prompt_tokens"] = usage.prompt_tokens
    fields["completion_tokens"] = usage.completion_tokens
    if usage.cached_tokens:
        fields["cached_tokens"] = usage.cached_tokens
    if usage.reasoning_tokens:
        fields["reasoning_tokens"] = usage.reasoning_tokens


def _troubles(record: RequestRecord) -> dict[str, Any]:
    """What was tried, and what was left out."""
    troubles = {
        "attempts": record.attempts if record.attempts > 1 else None,
        "failed_attempts": [f"{provider} {code}" for provider, code in record.failed_attempts],
        "skipped": list(record.skipped),
        "dropped": list(record.dropped),
    }
    return {name: trouble for name, trouble in troubles.items() if trouble}


def _ms(seconds: float) -> float:
    """To the microsecond; the library's rounding costs more than the rest of a line."""
    return int(seconds * 1e6 + 0.5) / 1e3
