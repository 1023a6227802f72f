"""What is known about a request at its end."""

from __future__ import annotations

from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.observability.record import RequestRecord
from fastproxy.types import Deployment


def record() -> RequestRecord:
    return RequestRecord("req_1", "POST", "/", started=100.0)


def test_the_last_place_that_was_tried_is_named() -> None:
    made = record()
    made.on_deployment(Deployment("one", "openai", "m1", ""))
    made.on_deployment(Deployment("two", "openai", "m2", ""))
    assert (made.provider, made.model) == ("two", "m2")


def test_overhead_is_the_time_until_the_answer_without_the_wait_for_providers() -> None:
    made = record()
    made.answered, made.waited_seconds, made.auth_seconds = 102.0, 1.5, 0.25
    assert (made.time_to_first_token, made.overhead_seconds) == (2.0, 0.5)
    made.limit_seconds = 0.125
    timing = "auth;dur=250.000, limit;dur=125.000, upstream;dur=1500.000, proxy;dur=500.000"
    assert made.server_timing() == timing


def test_overhead_is_never_negative() -> None:
    made = record()
    made.answered, made.waited_seconds = 101.0, 5.0
    assert made.overhead_seconds == 0.0
    assert record().overhead_seconds == 0.0


def test_without_an_answer_the_end_counts() -> None:
    made = record()
    made.ended = 103.0
    assert made.time_to_first_token == 3.0


def test_only_a_provider_has_an_upstream_status() -> None:
    made = record()
    made.failed(ProxyError(ErrorKind.NOT_FOUND, "nothing"))
    assert (made.error_code, made.error_message, made.upstream_status) == ("not_found", "nothing", None)
    made.failed(UpstreamError(ErrorKind.OVERLOADED, "busy", upstream_status=503))
    assert (made.error_code, made.upstream_status) == ("overloaded", 503)


def test_of_a_long_name_only_the_beginning_is_told() -> None:
    made = record()
    made.on_deployment(Deployment("one", "openai", "x" * 100_000, ""))
    assert len(made.model) == 200
