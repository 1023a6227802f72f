"""Parameters: translated, or named as dropped."""

from __future__ import annotations

import pytest

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.anthropic.models import model_named
from fastproxy.wire.anthropic.parameters import other_fields, sampling_fields


def sampling(
    model: str, thinking: bool = False, top_k: object = None, **parameters: object
) -> tuple[Json, list[str]]:
    request = ChatRequest("m", (), parameters=parameters, extra={"top_k": top_k})
    body, dropped = sampling_fields(request, model_named(model), thinking)
    return body, [lost.param for lost in dropped]


def others(**parameters: object) -> tuple[Json, list[str]]:
    body, dropped = other_fields(ChatRequest("m", (), parameters=parameters))
    return body, [lost.param for lost in dropped]


def test_temperature_is_brought_into_range() -> None:
    assert sampling("claude-sonnet-4-5", temperature=0.3) == ({"temperature": 0.3}, [])
    assert sampling("claude-sonnet-4-5", temperature=1.7) == ({"temperature": 1.0}, ["temperature"])


def test_some_models_take_one_of_temperature_and_top_p() -> None:
    both = {"temperature": 0.3, "top_p": 0.9}
    assert sampling("claude-sonnet-4-5", **both) == ({"temperature": 0.3}, ["top_p"])
    assert sampling("claude-sonnet-4-5", temperature=0.3, top_p=1) == ({"temperature": 0.3}, [])
    assert sampling("claude-3-7-sonnet-latest", top_k=5, **both) == ({**both, "top_k": 5}, [])


def test_the_newest_models_and_thinking_take_none() -> None:
    wanted = {"temperature": 0.3, "top_p": 0.9, "top_k": 5}
    assert sampling("claude-opus-4-8", **wanted) == ({}, ["temperature", "top_p", "top_k"])
    assert sampling("claude-sonnet-4-5", thinking=True, **wanted) == ({}, ["temperature", "top_p", "top_k"])
    assert sampling("claude-opus-4-8", temperature=1, top_p=1.0) == ({}, [])


def test_a_temperature_that_is_no_number_is_refused() -> None:
    for value in ("hot", True, [1]):
        with pytest.raises(ProxyError) as raised:
            sampling("claude-sonnet-4-5", temperature=value)
        assert raised.value.param == "temperature"


def test_stops_of_white_space_are_dropped() -> None:
    assert others(stop=["END", "\n", ""]) == ({"stop_sequences": ["END"]}, ["stop"])
    assert others(stop=[" "]) == ({}, ["stop"])
    assert others(stop="END") == ({"stop_sequences": ["END"]}, [])


@pytest.mark.parametrize("stop", [5, [5], {"a": 1}])
def test_a_stop_of_a_wrong_type_is_refused(stop: object) -> None:
    with pytest.raises(ProxyError) as raised:
        others(stop=stop)
    assert raised.value.param == "stop"


def test_the_user_is_named() -> None:
    assert others(user="u", safety_identifier="s") == ({"metadata": {"user_id": "u"}}, [])
    assert others(safety_identifier="s", metadata={"a": "b"}) == (
        {"metadata": {"user_id": "s"}},
        ["metadata"],
    )
    assert others(metadata={"user_id": "m"}) == ({"metadata": {"user_id": "m"}}, [])


@pytest.mark.parametrize(
    ("tier", "sent"), [("auto", "auto"), ("priority", "auto"), ("default", "standard_only"), ("flex", None)]
)
def test_service_tiers(tier: str, sent: str | None) -> None:
    expected = ({"service_tier": sent}, []) if sent else ({}, ["service_tier"])
    assert others(service_tier=tier) == expected


def test_what_has_no_equivalent_is_named_unless_it_asks_for_nothing() -> None:
    lost = {"seed": 1, "n": 2, "logit_bias": {"1": 1}, "presence_penalty": 0.5, "verbosity": "low"}
    assert others(**lost) == ({}, list(lost))
    assert others(n=1, logprobs=False, presence_penalty=0, logit_bias={}, modalities=["text"]) == ({}, [])


def test_an_answer_in_audio_is_refused() -> None:
    with pytest.raises(ProxyError) as raised:
        others(modalities=["text", "audio"])
    assert raised.value.kind is ErrorKind.UNSUPPORTED_PARAMETER
