"""Traces, as a collector gets them: a span a request, a child for each attempt, in the client's trace."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from testkit.mock import MockUpstream, Recorded
from testkit.otlp import OtlpReceiver, attributes
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY
from tests.integration.test_openai_sdk import chunk

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CLIENT_SPAN = "00f067aa0ba902b7"
CHAT = {"model": "local-m", "messages": [{"role": "user", "content": "a secret prompt"}]}
CONFIG = """
[auth]
keys = [{{ name = "tests", key = "{key}" }}]
[tracing]
endpoint = "{collector}/"
headers = {{ authorization = "Bearer sk-collector" }}
service_name = "my-sidecar"
[providers.local]
kind = "openai"
api_key = "sk-upstream-secret"
base_url = "{url}/v1"
prefix = "local-"
max_retries = 1
"""


@pytest.fixture
def collector() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


@pytest.fixture
def proxy(mock: MockUpstream, collector: OtlpReceiver) -> Iterator[FastproxyProcess]:
    config = CONFIG.format(url=mock.url, collector=collector.url, key=KEY)
    # the SDK collects for five seconds otherwise
    with FastproxyProcess(config, {"OTEL_BSP_SCHEDULE_DELAY": "50"}) as running:
        yield running


def ask(proxy: FastproxyProcess, flags: str = "01", **body: Any) -> httpx.Response:
    headers = {
        "authorization": f"Bearer {KEY}",
        "traceparent": f"00-{TRACE}-{CLIENT_SPAN}-{flags}",
        "x-request-id": "my-request",
    }
    answer = httpx.post(
        f"{proxy.url}/v1/chat/completions", json={**CHAT, **body}, headers=headers, timeout=20
    )
    answer.read()
    return answer


def chats(mock: MockUpstream) -> list[Recorded]:
    """Without the proxy's own questions about models."""
    return [asked for asked in mock.requests() if asked.method == "POST"]


def parent(asked: Recorded) -> str:
    return dict(asked.headers)["traceparent"]


def by_kind(spans: list[Span]) -> tuple[Span, list[Span]]:
    """The request's span, and the attempts' in their order."""
    (request,) = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
    attempts = [span for span in spans if span.kind == Span.SPAN_KIND_CLIENT]
    return request, sorted(attempts, key=lambda span: span.start_time_unix_nano)


def told(span: Span) -> Mapping[str, Any]:
    return dict(attributes(span.attributes))


def test_a_request_is_a_span_in_the_clients_trace_and_its_attempt_a_child(
    proxy: FastproxyProcess, mock: MockUpstream, collector: OtlpReceiver
) -> None:
    before = time.time_ns()
    assert ask(proxy).status_code == 200
    request, (attempt,) = by_kind(collector.spans(2))
    assert {span.trace_id.hex() for span in (request, attempt)} == {TRACE}
    assert (request.parent_span_id.hex(), attempt.parent_span_id) == (CLIENT_SPAN, request.span_id)
    assert (request.name, attempt.name) == ("POST /v1/chat/completions", "chat m")
    assert before <= request.start_time_unix_nano + 50_000_000  # two clocks
    assert request.end_time_unix_nano <= time.time_ns()
    assert request.start_time_unix_nano < request.end_time_unix_nano
    assert attempt.start_time_unix_nano < attempt.end_time_unix_nano
    seen = told(request)
    assert seen["http.response.status_code"] == 200
    assert seen["gen_ai.operation.name"] == "chat"
    assert seen["gen_ai.request.model"] == "local-m"
    assert seen["fastproxy.request_id"] == "my-request"
    assert seen["fastproxy.caller"] == "tests"
    assert seen["gen_ai.usage.output_tokens"] > 0
    assert seen["gen_ai.response.finish_reasons"] == ["stop"]
    assert 0 < seen["fastproxy.overhead"] < 5
    assert told(attempt)["gen_ai.provider.name"] == "local"
    (asked,) = chats(mock)
    assert parent(asked) == f"00-{TRACE}-{attempt.span_id.hex()}-01"
    assert collector.resources[0]["service.name"] == "my-sidecar"
    assert collector.headers[0]["authorization"] == "Bearer sk-collector"


def test_each_attempt_is_a_span_with_its_own_error(
    proxy: FastproxyProcess, mock: MockUpstream, collector: OtlpReceiver
) -> None:
    stream = [chunk({"content": "Hi"}), chunk({}, "stop"), "data: [DONE]\n\n"]
    mock.script({"status": 503, "body": "{}"}, {"chunks": stream}, method="POST")
    assert ask(proxy, stream=True).status_code == 200
    request, (first, second) = by_kind(collector.spans(3))
    assert told(first)["error.type"] == "overloaded"
    assert first.status.code == Status.STATUS_CODE_ERROR
    assert first.end_time_unix_nano <= second.start_time_unix_nano
    assert (second.status.code, request.status.code) == (Status.STATUS_CODE_UNSET,) * 2
    assert told(request)["fastproxy.attempts"] == 2
    assert told(request)["gen_ai.response.time_to_first_chunk"] > 0
    parents = [parent(asked).split("-")[2] for asked in chats(mock)]
    assert parents == [first.span_id.hex(), second.span_id.hex()]


def test_a_request_that_failed_says_why_and_holds_no_content(
    proxy: FastproxyProcess, mock: MockUpstream, collector: OtlpReceiver
) -> None:
    mock.script({"status": 400, "body": '{"error": {"message": "a secret prompt"}}'})
    assert ask(proxy).status_code == 400
    request, (attempt,) = by_kind(collector.spans(2))
    for span in (request, attempt):
        assert span.status.code == Status.STATUS_CODE_ERROR
        assert "secret" not in str(span)
    assert told(request)["http.response.status_code"] == 400


def test_a_trace_that_its_client_does_not_sample_is_not_exported_but_passed_on(
    proxy: FastproxyProcess, mock: MockUpstream, collector: OtlpReceiver
) -> None:
    ask(proxy, flags="00")
    (asked,) = chats(mock)
    assert parent(asked).startswith(f"00-{TRACE}-")
    assert parent(asked).endswith("-00")
    ask(proxy)  # comes after it, and alone
    request, (attempt,) = by_kind(collector.spans(2))
    assert attempt.parent_span_id == request.span_id
    assert parent(asked).split("-")[2] != attempt.span_id.hex()


def test_the_last_spans_are_sent_when_the_proxy_ends(mock: MockUpstream, collector: OtlpReceiver) -> None:
    config = CONFIG.format(url=mock.url, collector=collector.url, key=KEY)
    with FastproxyProcess(config, {"OTEL_BSP_SCHEDULE_DELAY": "600000"}) as proxy:
        ask(proxy)
        assert proxy.process.stop(10) == 0
    assert len(collector.spans(2)) == 2


def test_a_collector_that_is_away_harms_no_request_and_no_end(mock: MockUpstream) -> None:
    config = CONFIG.format(url=mock.url, collector="http://127.0.0.1:9", key=KEY)
    with FastproxyProcess(config, {"OTEL_BSP_SCHEDULE_DELAY": "50"}) as proxy:
        for _ in range(3):
            assert ask(proxy).status_code == 200
        began = time.monotonic()
        assert proxy.process.stop(10) == 0
        assert time.monotonic() - began < 8


def test_without_the_libraries_the_start_says_what_to_install(
    mock: MockUpstream, collector: OtlpReceiver
) -> None:
    config = CONFIG.format(url=mock.url, collector=collector.url, key=KEY)
    hidden = {"opentelemetry.py": "raise ImportError('no such library')"}
    with FastproxyProcess(config, files=hidden) as proxy:
        assert ask(proxy).status_code == 200
        assert "pip install 'fastproxy[otel]'" in proxy.output()


def test_a_client_that_leaves_ends_its_spans(
    proxy: FastproxyProcess, mock: MockUpstream, collector: OtlpReceiver
) -> None:
    mock.script(
        {"chunks": [chunk({"content": "Hi"}), {"text": chunk({}, "stop"), "gate": "end"}]}, method="POST"
    )
    headers = {"authorization": f"Bearer {KEY}"}
    body = {**CHAT, "stream": True}
    with httpx.stream("POST", f"{proxy.url}/v1/chat/completions", json=body, headers=headers) as answer:
        next(answer.iter_bytes())
    request, (attempt,) = by_kind(collector.spans(2))
    assert told(request)["fastproxy.client_gone"] is True
    assert request.end_time_unix_nano == attempt.end_time_unix_nano


def test_a_collector_that_is_silent_does_not_keep_the_proxy_from_ending(mock: MockUpstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        collector = f"http://127.0.0.1:{silent.getsockname()[1]}"
        config = CONFIG.format(url=mock.url, collector=collector, key=KEY)
        with FastproxyProcess(config, {"OTEL_BSP_SCHEDULE_DELAY": "50"}) as proxy:
            assert ask(proxy).status_code == 200
            assert proxy.process.stop(10) == 0
