"""The past that the status page shows: counted by seconds, bounded, and without any content."""

from __future__ import annotations

from typing import Any

import pytest

from fastproxy.observability import history
from fastproxy.observability.history import History
from fastproxy.observability.record import RequestRecord
from fastproxy.wire.events import Usage

NOW = 1000.5
"""Monotonic seconds; the last whole second is 999."""


def record(ended: float = 999.2, **fields: Any) -> RequestRecord:
    took = fields.pop("took", 0.1)
    given = {"answered": ended, "status": 200, "ended_at": 1.7e9, **fields}
    return RequestRecord("req_1", "POST", "/v1/chat/completions", started=ended - took, ended=ended, **given)


def failed(code: str, status: int = 502, **fields: Any) -> RequestRecord:
    return record(answered=None, error_code=code, status=status, **fields)


def test_a_request_counts_in_the_second_of_its_end() -> None:
    past = History()
    past.add([record(997.0), record(999.0), record(999.999)])
    requests = past.seconds(NOW)["requests"]
    assert len(requests) == history.SECONDS
    assert requests[-3:] == [1, 0, 2]
    assert sum(requests) == 3


def test_the_second_that_still_runs_is_not_shown() -> None:
    past = History()
    past.add([record(1000.2)])
    assert sum(past.seconds(NOW)["requests"]) == 0
    assert past.seconds(1001.0)["requests"][-1] == 1


def test_looking_does_not_split_a_second() -> None:
    past = History()
    past.add([record(1000.1)])
    past.seconds(NOW)
    past.add([record(1000.9)])
    assert past.seconds(1001.0)["requests"][-1] == 2


def test_what_is_older_than_two_minutes_is_gone() -> None:
    past = History()
    past.add([record(NOW - history.SECONDS - 5)])
    assert sum(past.seconds(NOW)["requests"]) == 0
    for second in range(1000, 2000):
        past.add([record(second + 0.5)])
    assert repr(past) == f"<History seconds={history.SECONDS} requests={history.REQUESTS}>"


def test_failures_are_counted_and_have_no_times() -> None:
    past = History()
    past.add([failed("overloaded", 503), failed("invalid_request", 400)])
    seconds = past.seconds(NOW)
    assert (seconds["requests"][-1], seconds["errors"][-1]) == (2, 2)
    assert seconds["overhead_p50_ms"][-1] is None
    assert seconds["first_token_p99_ms"][-1] is None


def test_percentiles_are_of_the_second_and_in_milliseconds() -> None:
    past = History()
    past.add([record(took=milliseconds / 1000, stream=True) for milliseconds in range(1, 101)])
    seconds = past.seconds(NOW)
    assert seconds["overhead_p50_ms"][-1] == pytest.approx(51, abs=0.01)
    assert seconds["overhead_p99_ms"][-1] == pytest.approx(100, abs=0.01)
    assert seconds["first_token_p50_ms"][-1] == pytest.approx(51, abs=0.01)


def test_only_streams_have_a_first_token() -> None:
    past = History()
    past.add([record()])
    assert past.seconds(NOW)["first_token_p50_ms"][-1] is None
    assert past.seconds(NOW)["overhead_p50_ms"][-1] is not None
    assert past.requests(1)[0]["first_token_ms"] is None


def test_waiting_for_the_provider_is_no_overhead() -> None:
    past = History()
    past.add([record(took=1.0, waited_seconds=0.9)])
    assert past.seconds(NOW)["overhead_p50_ms"][-1] == pytest.approx(100, abs=0.01)


def test_a_busy_second_keeps_its_count_and_a_bounded_number_of_times() -> None:
    past = History()
    past.add([record(took=5.0)] * history.SAMPLES + [record(took=0.001)] * history.SAMPLES)
    seconds = past.seconds(NOW)
    assert seconds["requests"][-1] == 2 * history.SAMPLES
    assert seconds["overhead_p99_ms"][-1] == pytest.approx(1, abs=0.01)  # the last ones


def test_the_last_requests_are_told_newest_first_and_one_callers_alone_where_asked() -> None:
    past = History()
    past.add([record(caller=name, asked_model=f"m{i}") for i, name in enumerate(["a", "b", "a"])])
    assert [told["model"] for told in past.requests(2)] == ["m2", "m1"]
    assert [told["model"] for told in past.requests(9, "a")] == ["m2", "m0"]
    assert past.requests(9, "c") == []


def test_a_request_is_told_with_its_numbers() -> None:
    past = History()
    past.add([record(took=0.25, stream=True, usage=Usage(3, 4, 7), provider="p", model="n", attempts=2)])
    told = past.requests(1)[0]
    assert (told["provider"], told["provider_model"], told["attempts"], told["status"]) == ("p", "n", 2, 200)
    assert (told["input_tokens"], told["output_tokens"]) == (3, 4)
    assert told["duration_ms"] == told["first_token_ms"] == told["overhead_ms"] == 250
    assert told["at"] == 1.7e9


def test_a_clients_words_are_cut() -> None:
    past = History()
    past.add([failed("overloaded", 503, asked_model="m" * 10_000, error_message="e" * 10_000, provider="p")])
    past.add([failed("overloaded", failed_attempts=(("p", "overloaded"),), error_message="e" * 10_000)])
    assert len(past.requests(9)[1]["model"]) == 200
    assert len(str(past.faults())) < 1000


def test_a_providers_last_error_is_kept() -> None:
    past = History()
    fault = {"provider": "p", "error_message": "p is away", "asked_model": "m"}
    past.add([failed("connection_failed", failed_attempts=(("p", "connection_failed"),), **fault), record()])
    assert past.faults() == {
        "p": {"code": "connection_failed", "message": "p is away", "model": "m", "at": 1.7e9}
    }


def test_an_attempt_that_failed_counts_where_another_provider_answered() -> None:
    past = History()
    past.add([record(failed_attempts=(("p", "idle_timeout"),), provider="q")])
    assert past.faults()["p"]["code"] == "idle_timeout"
    assert past.faults()["p"]["message"] == ""
    assert "q" not in past.faults()


def test_a_broken_stream_is_its_providers_error() -> None:
    past = History()
    past.add([record(error_code="bad_response", error_message="it broke", provider="p", stream=True)])
    assert past.faults()["p"]["message"] == "it broke"


@pytest.mark.parametrize(
    "code", ["invalid_request", "model_not_found", "circuit_open", "draining", "internal"]
)
def test_what_says_nothing_of_a_provider_is_not_its_error(code: str) -> None:
    past = History()
    past.add([failed(code, failed_attempts=(("p", code),), provider="p")])
    assert past.faults() == {}
