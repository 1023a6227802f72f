"""What is counted, under bounded labels, and what is told of the present."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.parser import text_string_to_metric_families

from fastproxy.observability.metrics import Metrics
from fastproxy.observability.metrics.definitions import DEFINITIONS, MAX_MODELS
from fastproxy.observability.metrics.series import BatchHistogram
from fastproxy.observability.record import RequestRecord
from fastproxy.types import Deployment
from fastproxy.wire.events import Usage
from testkit.exposition import Samples


def record(**fields: object) -> RequestRecord:
    made = RequestRecord("req_1", "POST", "/v1/chat/completions", started=100.0, ended=101.0, status=200)
    made.provider, made.model = "box", "m"
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def counted(*records: RequestRecord) -> Samples:
    metrics = Metrics()
    metrics.observe(records)
    return Samples(metrics.render().decode())


CHAT = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "box", "gen_ai_request_model": "m"}


def test_a_request_is_counted_with_its_tokens_and_times() -> None:
    usage = Usage(30, 5, 35, cached_tokens=20, cache_write_tokens=2, reasoning_tokens=1)
    told = counted(record(usage=usage, answered=100.5, stream=True, waited_seconds=0.499))
    assert told.value("fastproxy_requests_total", provider="box", model="m", status="200") == 1
    assert told.value("gen_ai_client_operation_duration_seconds_sum", **CHAT) == 1.0
    assert told.value("gen_ai_client_token_usage_sum", **CHAT, gen_ai_token_type="input") == 30
    assert told.value("gen_ai_client_token_usage_sum", **CHAT, gen_ai_token_type="output") == 5
    parts = {
        kind: told.value("fastproxy_token_details_total", provider="box", model="m", type=kind)
        for kind in ("cached", "cache_write", "reasoning")
    }
    assert parts == {"cached": 20, "cache_write": 2, "reasoning": 1}
    assert told.value("gen_ai_server_time_to_first_token_seconds_sum", **CHAT) == 0.5
    assert told.value("gen_ai_server_time_per_output_token_seconds_sum", **CHAT) == 0.5 / 4
    assert told.value("fastproxy_overhead_seconds_sum", provider="box") == pytest.approx(0.001)


def test_a_unary_request_has_no_times_of_streams() -> None:
    names = counted(record(answered=100.5, usage=Usage(3, 2, 5))).names
    assert not [name for name in names if "token_seconds_count" in name]


@pytest.mark.parametrize(
    "changed",
    [{"error_code": "bad_response"}, {"client_gone": True}, {"usage": None}, {"usage": Usage(3, 1, 4)}],
)
def test_only_whole_streams_of_several_tokens_have_a_time_per_token(changed: dict[str, object]) -> None:
    fields = {"answered": 100.5, "stream": True, "usage": Usage(3, 2, 5)} | changed
    told = counted(record(**fields))
    assert told.value("gen_ai_server_time_to_first_token_seconds_count", **CHAT) == 1
    assert "gen_ai_server_time_per_output_token_seconds_count" not in told.names


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/chat/completions", "chat"),
        ("/openai/deployments/embeddings/chat/completions", "chat"),
        ("/v1/chat/completions/", "chat"),
        ("/v1/messages", "chat"),
        ("/v1/responses", "chat"),
        ("/v1/completions", "text_completion"),
        ("/v1/fim/completions", "text_completion"),
        ("/embeddings", "embeddings"),
        ("/v1/messages/count_tokens", "count_tokens"),
    ],
)
def test_operations_have_opentelemetrys_names(path: str, operation: str) -> None:
    told = counted(record(path=path, answered=100.5))
    labels = CHAT | {"gen_ai_operation_name": operation}
    assert told.value("gen_ai_client_operation_duration_seconds_count", **labels) == 1


def test_embeddings_have_no_output_tokens() -> None:
    told = counted(record(path="/v1/embeddings", usage=Usage(7, 0, 7), answered=100.5))
    assert {labels["gen_ai_token_type"] for labels in told.labels("gen_ai_client_token_usage_count")} == {
        "input"
    }


def test_errors_and_clients_that_left_are_counted() -> None:
    told = counted(record(status=503, error_code="overloaded"), record(status=499, client_gone=True))
    assert told.value("fastproxy_errors_total", provider="box", code="overloaded") == 1
    assert told.value("fastproxy_client_disconnects_total", provider="box") == 1
    assert told.value("fastproxy_requests_total", provider="box", model="other", status="499") == 1


def test_a_code_of_a_providers_own_is_counted_as_other() -> None:
    told = counted(
        record(status=400, error_code="Qx7-anything"),
        record(failed_attempts=(("box", "zz"),), failed_models=("m",)),
    )
    assert told.value("fastproxy_errors_total", provider="box", code="other") == 1
    assert told.value("fastproxy_attempt_failures_total", provider="box", code="other") == 1


def test_a_request_that_reached_no_provider_is_counted_under_none_and_has_no_duration() -> None:
    told = counted(record(status=401, provider="", model=""))
    assert told.value("fastproxy_requests_total", provider="none", model="", status="401") == 1
    assert "gen_ai_client_operation_duration_seconds_count" not in told.names


def test_only_our_own_limits_rejections_are_counted_as_such() -> None:
    ours, theirs = (
        record(status=429, error_code="rate_limit_exceeded", provider="", model=""),
        record(status=429, error_code="rate_limit_exceeded"),
    )
    told = counted(ours, theirs)
    assert told.value("fastproxy_rate_limit_rejections_total") == 1
    assert told.value("fastproxy_errors_total", provider="box", code="rate_limit_exceeded") == 1


def tried(*places: str, answered: bool = True) -> RequestRecord:
    """A request that was tried at these places ("provider/model"), in vain but for the last."""
    made = record(provider="", model="")
    deployments = [Deployment(*place.split("/")[:1], "openai", place.split("/")[1], "") for place in places]
    for deployment in deployments[: -1 if answered else None]:
        made.attempt_failed(deployment, _BusyError())
    made.on_deployment(deployments[-1])
    made.answered = 100.5 if answered else None
    return made


class _BusyError(Exception):
    code = "overloaded"


@pytest.mark.parametrize(
    ("made", "retries", "fallbacks"),
    [
        (tried("a/m"), {}, {}),
        (tried("a/m", "a/m"), {"a": 1}, {}),
        (tried("a/m", "a/m", "a/m", answered=False), {"a": 2}, {}),
        (tried("a/m", "b/n"), {}, {("a", "b"): 1}),
        (tried("a/m", "a/n"), {}, {("a", "a"): 1}),
        (tried("a/m", "a/m", "b/n", "b/n", "c/o"), {"a": 1, "b": 1}, {("a", "b"): 1, ("b", "c"): 1}),
    ],
)
def test_retries_stay_and_fallbacks_go_on(
    made: RequestRecord, retries: Mapping[str, int], fallbacks: Mapping[tuple[str, str], int]
) -> None:
    told = counted(made)
    assert {labels["provider"]: value for labels, value in told.all("fastproxy_retries_total")} == retries
    assert {
        (labels["provider"], labels["to"]): value for labels, value in told.all("fastproxy_fallbacks_total")
    } == fallbacks


def test_however_many_models_are_asked_for_the_labels_are_bounded() -> None:
    told = counted(*[record(model=f"m{number}", answered=100.5) for number in range(MAX_MODELS + 50)])
    assert len(told.labels("fastproxy_requests_total")) == MAX_MODELS + 1
    assert told.value("fastproxy_requests_total", model="other", provider="box", status="200") == 50


def test_names_that_nobody_answers_take_no_label() -> None:
    junk = [record(model=f"junk{number}") for number in range(MAX_MODELS)]
    told = counted(*junk, record(model="m", answered=100.5))
    assert told.value("fastproxy_requests_total", model="m", provider="box", status="200") == 1


@pytest.mark.parametrize("field", ["asked_model", "caller", "path", "id", "error_message", "finish"])
def test_a_clients_own_words_are_no_label(field: str) -> None:
    fields = {"error_code": "internal"} | {field: "Zq9secret"}
    metrics = Metrics()
    metrics.observe([record(**fields)])
    assert b"Zq9secret" not in metrics.render()


def test_many_observations_at_once_are_as_many_one_by_one() -> None:
    values = [0.0, 0.1, 0.1, 0.5, 0.75, 1.0, 1.5, 3.0, 1e9]
    one, many = CollectorRegistry(), CollectorRegistry()
    by_one = Histogram("h", "h", ("l",), buckets=(0.1, 0.5, 1, 2), registry=one)
    at_once = BatchHistogram("h", "h", ("l",), buckets=(0.1, 0.5, 1, 2), registry=many)
    for value in values:
        by_one.labels("x").observe(value)
    at_once.labels("x").observe_all(values)
    assert _values(one) == _values(many)


def _values(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


def present() -> tuple[Metrics, Iterator[Samples]]:
    metrics = Metrics()

    def told() -> Iterator[Samples]:
        while True:
            yield Samples(metrics.render().decode())

    return metrics, told()


def test_circuits_are_told_by_their_worst_and_closed_again() -> None:
    metrics, told = present()
    metrics.observe([record(answered=100.5)])
    metrics.present.set_circuits({"box": {"m": "half_open", "junk1": "half_open", "junk2": "open"}})
    states = {labels["model"]: value for labels, value in next(told).all("fastproxy_circuit_state")}
    assert states == {"m": 1, "other": 2}
    metrics.present.set_circuits({})
    assert {value for _, value in next(told).all("fastproxy_circuit_state")} == {0}


def test_tokens_that_expire_are_told_by_age_and_rest() -> None:
    metrics, told = present()
    fresh = {"refreshed_seconds_ago": 12.5, "expires_in_seconds": 3000.0}
    none = {"refreshed_seconds_ago": None, "expires_in_seconds": None}
    metrics.present.set_credentials({"vertex": fresh, "later": none})
    samples = next(told)
    assert samples.value("fastproxy_credential_age_seconds", provider="vertex") == 12.5
    assert samples.value("fastproxy_credential_expires_in_seconds", provider="vertex") == 3000
    assert len(samples.labels("fastproxy_credential_age_seconds")) == 1


def test_a_bridge_that_went_away_has_no_processes() -> None:
    metrics, told = present()
    pool = {"busy": 1, "idle": 2, "starting": 3, "queued": 4, "spawned": 5}
    for state, up in (({"pool": pool}, 1), (None, 0)):
        metrics.present.set_bridges({"claude": state})
        samples = next(told)
        assert samples.value("fastproxy_bridge_up", provider="claude") == up
        for kind, number in (("busy", 1), ("idle", 2), ("starting", 3)):
            value = samples.value("fastproxy_bridge_processes", provider="claude", state=kind)
            assert value == number * up
        assert samples.value("fastproxy_bridge_waiting", provider="claude") == 4 * up
        assert samples.value("fastproxy_bridge_spawned", provider="claude") == 5 * up


def test_places_at_providers_are_told() -> None:
    metrics, told = present()
    metrics.present.set_load({"box": SimpleNamespace(busy=2, waiting=3)})
    samples = next(told)
    assert samples.value("fastproxy_provider_in_flight", provider="box") == 2
    assert samples.value("fastproxy_provider_waiting", provider="box") == 3


def test_the_process_tells_of_its_cpu_time_once() -> None:
    metrics, told = present()
    metrics.present.set_process()
    first = next(told).value("fastproxy_cpu_seconds_total")
    metrics.present.set_process()
    assert 0 < first <= next(told).value("fastproxy_cpu_seconds_total") < first + 1


def test_what_is_told_is_prometheus_text_and_each_name_is_defined() -> None:
    metrics, told = present()
    metrics.present.set_process()
    defined = {definition.name.removesuffix("_total"): definition for definition in DEFINITIONS}
    families = list(text_string_to_metric_families(metrics.render().decode()))
    assert {family.name for family in families} == set(defined)
    assert all(family.type == defined[family.name].type for family in families)
    assert next(told).value("fastproxy_workers") == 1


_WORKER = """
import sys
from fastproxy.observability.metrics import Metrics
from fastproxy.observability.record import RequestRecord
metrics = Metrics(multiprocess_mode=True)
metrics.observe([RequestRecord("req_1", "POST", "/", status=200)])
metrics.present.in_flight.set(3)
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
    samples = Samples(told)
    assert samples.value("fastproxy_requests_total", model="", provider="none", status="200") == 2
    assert samples.value("fastproxy_in_flight") == 6
    assert samples.value("fastproxy_workers") == 2
    assert samples.value("fastproxy_worker_deaths_total") == 0
