"""What a request's line holds, and how lines look."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.observability.logging import configure, request_fields
from fastproxy.observability.record import RequestRecord
from fastproxy.types import Deployment
from fastproxy.wire.events import Usage


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def record(**fields: object) -> RequestRecord:
    made = RequestRecord("req_1", "POST", "/v1/chat/completions", started=100.0, ended=101.5, status=200)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_a_line_tells_what_happened() -> None:
    made = record(
        caller="ci", asked_model="gm-pro", answered=100.5, waited_seconds=0.4, bytes_in=10, bytes_out=20
    )
    made.on_deployment(Deployment("vertex", "vertex", "gemini-2.5-pro", "https://x"))
    made.finish, made.usage = "stop", Usage(3, 2, 5, cached_tokens=1, reasoning_tokens=2)
    made.limit_seconds = 0.25
    assert request_fields(made) == {
        "request_id": "req_1",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "duration_ms": 1500.0,
        "overhead_ms": 100.0,
        "upstream_ms": 400.0,
        "bytes_in": 10,
        "bytes_out": 20,
        "caller": "ci",
        "model": "gemini-2.5-pro",
        "provider": "vertex",
        "finish": "stop",
        "asked_model": "gm-pro",
        "limit_ms": 250.0,
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "cached_tokens": 1,
        "reasoning_tokens": 2,
    }


def test_a_stream_tells_when_it_began_and_a_retry_how_many_there_were() -> None:
    fields = request_fields(
        record(stream=True, answered=100.25, attempts=2, client_gone=True, dropped=("n",))
    )
    assert (fields["stream"], fields["time_to_first_token_ms"]) == (True, 250.0)
    assert (fields["attempts"], fields["client_gone"], fields["dropped"]) == (2, True, ["n"])


def test_an_error_tells_its_code_and_the_providers_status() -> None:
    made = record(status=502)
    made.failed(UpstreamError(ErrorKind.BAD_RESPONSE, "box said no", upstream_status=500))
    fields = request_fields(made)
    assert (fields["error_code"], fields["error_message"]) == ("bad_response", "box said no")
    assert fields["upstream_status"] == 500


@pytest.mark.parametrize("name", ["asked_model", "path"])
def test_no_name_makes_a_line_long(name: str) -> None:
    assert len(orjson.dumps(request_fields(record(**{name: "x" * 100_000})))) < 1500


def test_lines_for_machines_are_json(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    configure("info", "json")
    log = structlog.get_logger()
    log.debug("hidden")
    log.info("request", status=200)
    logging.getLogger("some.library").warning("careful: %s", "hot")
    logging.getLogger("httpx").info("chatter")
    first, second = [orjson.loads(line) for line in capfdbinary.readouterr().err.splitlines()]
    assert (first["event"], first["status"], first["level"]) == ("request", 200, "info")
    assert first["timestamp"].endswith("Z")
    assert (second["event"], second["level"], second["logger"]) == ("careful: hot", "warning", "some.library")


def test_an_exception_is_told_with_its_trace(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    configure("info", "auto")
    try:
        raise KeyError("x")
    except KeyError as error:
        structlog.get_logger().error("internal error", exc_info=error)
        logging.getLogger("some.library").critical("oh", exc_info=True)
    lines = [orjson.loads(line) for line in capfdbinary.readouterr().err.splitlines()]
    assert [line["level"] for line in lines] == ["error", "error"]
    assert all("KeyError: 'x'" in line["exception"] for line in lines)


def test_lines_for_people_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "text")
    structlog.get_logger().debug("hello", status=200)
    try:
        raise KeyError("x")
    except KeyError as error:
        structlog.get_logger().error("internal error", exc_info=error)
    told = capsys.readouterr().err
    assert "hello" in told
    assert "status=200" in told
    assert "KeyError: 'x'" in told
    assert "\x1b" not in told
