"""What the path of a request has to do with its trace."""

from __future__ import annotations

import pytest

from fastproxy.observability.trace import Trace
from fastproxy.types import Deployment

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PLACE = Deployment("box", "openai", "m", "http://x")


def begin(parent: str, sample_ratio: float = 1.0) -> Trace:
    return Trace.begin({"traceparent": parent}, sample_ratio)


def test_the_clients_trace_is_gone_on_with() -> None:
    trace = begin(PARENT)
    assert (f"{trace.trace_id:x}", f"{trace.parent_id:x}") == (
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "f067aa0ba902b7",
    )
    assert trace.span_id not in (0, trace.parent_id)


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("03", True)])
def test_the_client_decides_whether_its_trace_is_sampled(flags: str, sampled: bool) -> None:
    for ratio in (0.0, 1.0):
        assert begin(PARENT[:-2] + flags, ratio).is_sampled is sampled


@pytest.mark.parametrize(
    "parent",
    ["", "garbage", PARENT.upper(), PARENT[:-1], f"00-{0:032x}-{1:016x}-01", f"00-{1:032x}-{0:016x}-01"],
)
def test_what_is_no_trace_begins_one(parent: str) -> None:
    first, second = begin(parent), begin(parent)
    assert first.parent_id is None
    assert first.trace_id != second.trace_id
    assert first.is_sampled
    assert not begin(parent, 0.0).is_sampled


def test_later_versions_may_say_more() -> None:
    assert begin(PARENT.replace("00-", "01-", 1) + "-more").parent_id is not None


def test_each_attempt_has_a_span_that_the_provider_is_told_of() -> None:
    trace = begin(PARENT)
    headers = (("traceparent", PARENT), ("tracestate", "a=b"))
    told = [dict(trace.attempt(PLACE, headers)) for _ in range(2)]
    ids = [f"{attempt.span_id:016x}" for attempt in trace.tries]
    assert [one["traceparent"] for one in told] == [
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{span_id}-01" for span_id in ids
    ]
    assert len(set(ids)) == 2
    assert {one["tracestate"] for one in told} == {"a=b"}


def test_an_attempt_that_failed_has_an_end_and_a_reason() -> None:
    trace = begin(PARENT)
    trace.failed("circuit_open")  # before anybody was asked
    trace.attempt(PLACE, ())
    trace.failed("connection_failed")
    (attempt,) = trace.tries
    assert attempt.error_code == "connection_failed"
    assert attempt.ended is not None
    assert attempt.ended >= attempt.began


def test_a_deployment_that_was_not_asked_leaves_the_attempt_before_it_alone() -> None:
    trace = begin(PARENT)
    trace.attempt(PLACE, ())
    trace.failed("connection_failed")
    ended = trace.tries[0].ended
    trace.failed("circuit_open")  # the fallback's
    assert (trace.tries[0].error_code, trace.tries[0].ended) == ("connection_failed", ended)


def test_the_clients_state_stays_with_the_clients_trace() -> None:
    headers = (("traceparent", "garbage"), ("tracestate", "a=b"), ("x-request-id", "r"))
    assert [name for name, _ in begin("garbage").attempt(PLACE, headers)] == ["x-request-id", "traceparent"]
