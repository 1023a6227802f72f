"""What is counted, under bounded labels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fastproxy.observability.metrics import MAX_MODELS, Metrics
from fastproxy.observability.record import RequestRecord
from fastproxy.wire.events import Usage


def record(**fields: object) -> RequestRecord:
    made = RequestRecord("req_1", "POST", "/", started=100.0, ended=101.0, status=200)
    made.provider, made.model = "box", "m"
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def rendered(*records: RequestRecord) -> str:
    metrics = Metrics()
    for made in records:
        metrics.observe(made)
    return metrics.render().decode()


def test_a_request_is_counted_with_its_tokens_and_times() -> None:
    text = rendered(record(usage=Usage(3, 2, 5), answered=100.5, stream=True, waited_seconds=0.499))
    assert 'fastproxy_requests_total{model="m",provider="box",status="200"} 1.0' in text
    assert 'fastproxy_tokens_total{model="m",provider="box",type="input"} 3.0' in text
    assert 'fastproxy_tokens_total{model="m",provider="box",type="output"} 2.0' in text
    assert 'gen_ai_server_request_duration_seconds_sum{model="m",provider="box"} 1.0' in text
    assert 'gen_ai_server_time_to_first_token_seconds_sum{model="m",provider="box"} 0.5' in text
    assert 'fastproxy_overhead_seconds_count{provider="box"} 1.0' in text


def test_a_unary_request_has_no_time_to_its_first_token() -> None:
    assert "time_to_first_token_seconds_count" not in rendered(record(answered=100.5))


def test_errors_and_clients_that_left_are_counted() -> None:
    text = rendered(record(status=503, error_code="overloaded", client_gone=True))
    assert 'fastproxy_errors_total{code="overloaded",provider="box"} 1.0' in text
    assert 'fastproxy_client_disconnects_total{provider="box"} 1.0' in text


def test_a_request_that_reached_no_provider_is_counted_under_none() -> None:
    assert 'provider="none",status="401"' in rendered(record(status=401, provider="", model=""))


def test_however_many_models_are_asked_for_the_labels_are_bounded() -> None:
    text = rendered(*[record(model=f"m{number}", answered=1.0) for number in range(MAX_MODELS + 50)])
    counted = [line for line in text.splitlines() if line.startswith("fastproxy_requests_total")]
    assert len(counted) == MAX_MODELS + 1
    assert 'fastproxy_requests_total{model="other",provider="box",status="200"} 50.0' in text


def test_names_that_nobody_answers_take_no_label() -> None:
    text = rendered(
        *[record(model=f"junk{number}") for number in range(MAX_MODELS)], record(model="m", answered=1.0)
    )
    assert 'fastproxy_requests_total{model="m",provider="box",status="200"} 1.0' in text


def test_the_name_a_client_asked_by_is_no_label() -> None:
    assert "secret" not in rendered(record(asked_model="secret"))


def test_requests_in_flight_are_a_gauge() -> None:
    metrics = Metrics()
    metrics.in_flight.set(3)
    assert b"fastproxy_in_flight 3.0" in metrics.render()


_WORKER = """
import sys
from fastproxy.observability.metrics import Metrics
from fastproxy.observability.record import RequestRecord
metrics = Metrics(multiprocess_mode=True)
metrics.observe(RequestRecord("req_1", "POST", "/", status=200))
sys.stdout.buffer.write(metrics.render())
"""


def test_with_several_workers_each_tells_of_all(tmp_path: Path) -> None:
    told = ""
    for _ in range(2):
        told = subprocess.run(
            [sys.executable, "-c", _WORKER],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},  # noqa: TID251
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            timeout=20,
        ).stdout
    assert 'fastproxy_requests_total{model="",provider="none",status="200"} 2.0' in told
