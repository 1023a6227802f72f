"""Thought signatures that clients throw away come back: for the same key, over workers, after a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest

from testkit.mock import MockUpstream
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY, OTHER_KEY, sdk, vertex_proxy
from tests.integration.gemini import (
    BYPASS,
    MODELS,
    SIGNATURE,
    answer_with,
    call,
    reply,
    sent,
    signatures,
    text,
)
from tests.sdk import USER, WEATHER, Json, ask, both_ways, calls, extension, kept, result, trimmed

THINKING, NEW = MODELS[1:]
SQLITE = '[continuity]\nstorage = "sqlite:///{folder}/continuity.db"\n'

Keep = Callable[..., Json]


def first_turn(
    client: openai.OpenAI, mock: MockUpstream, model: str, keep: Keep, *, stream: bool
) -> list[Json]:
    """The conversation after a turn of one call and its result, as this client would send it."""
    mock.reset()
    answer_with(mock, reply(call("get_weather", {"city": "Rome"}, SIGNATURE), stream=stream))
    message = ask(client, model, USER, stream=stream, tools=[WEATHER]).choices[0].message
    [made] = calls(message)
    assert message.tool_calls
    assert extension(message.tool_calls[0], "extra_content") == {"google": {"thought_signature": SIGNATURE}}
    assert len(made.id) <= 40
    return [*USER, keep(message), result(made.id, "sunny")]


def second_turn(
    client: openai.OpenAI, mock: MockUpstream, model: str, history: list[Json], *, stream: bool
) -> list[str | None]:
    """The signatures that reach Gemini with this conversation."""
    mock.reset()
    answer_with(mock, reply(text("Sunny."), stream=stream))
    answer = ask(client, model, history, stream=stream, tools=[WEATHER])
    assert answer.choices[0].message.content == "Sunny."
    [request] = sent(mock)
    return signatures(request)


@both_ways
@pytest.mark.parametrize("model", [THINKING, NEW])
@pytest.mark.parametrize("keep", [kept, trimmed])
def test_a_signature_comes_back_whether_the_client_kept_it_or_not(
    vertex: openai.OpenAI, mock: MockUpstream, keep: Keep, model: str, stream: bool
) -> None:
    history = first_turn(vertex, mock, model, keep, stream=stream)
    assert ("extra_content" in str(history)) is (keep is kept)
    assert second_turn(vertex, mock, model, history, stream=stream) == [SIGNATURE]


@both_ways
def test_another_key_gets_nothing_of_it_and_the_bypass_is_sent(
    vertex_process: FastproxyProcess, mock: MockUpstream, stream: bool
) -> None:
    with sdk(vertex_process, KEY) as client, sdk(vertex_process, OTHER_KEY) as stranger:
        history = first_turn(client, mock, NEW, trimmed, stream=stream)
        assert second_turn(stranger, mock, NEW, history, stream=stream) == [BYPASS]
        assert second_turn(client, mock, NEW, history, stream=stream) == [SIGNATURE]


def test_an_older_model_needs_no_bypass(vertex: openai.OpenAI, mock: MockUpstream) -> None:
    history = first_turn(vertex, mock, NEW, trimmed, stream=False)
    history[1]["tool_calls"][0]["id"] = history[2]["tool_call_id"] = "call_never_seen"
    assert second_turn(vertex, mock, THINKING, history, stream=False) == [None]
    assert second_turn(vertex, mock, NEW, history, stream=False) == [BYPASS]


@pytest.mark.slow
@both_ways
def test_a_signature_outlives_a_restart(
    mock_process: MockUpstream, mock: MockUpstream, tmp_path: Path, stream: bool
) -> None:
    config = SQLITE.format(folder=tmp_path)
    with vertex_proxy(mock_process.url, config) as before, sdk(before) as client:
        history = first_turn(client, mock, NEW, trimmed, stream=stream)
    with vertex_proxy(mock_process.url, config) as after, sdk(after) as client:
        assert second_turn(client, mock, NEW, history, stream=stream) == [SIGNATURE]


@pytest.fixture(scope="module")
def two_workers(
    mock_process: MockUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FastproxyProcess]:
    folder = tmp_path_factory.mktemp("continuity")
    with vertex_proxy(mock_process.url, "[server]\nworkers = 2\n" + SQLITE.format(folder=folder)) as running:
        yield running


@pytest.mark.slow
@both_ways
def test_a_signature_is_known_to_every_worker(
    two_workers: FastproxyProcess, mock: MockUpstream, stream: bool
) -> None:
    # The kernel gives each new connection to a worker by its own lot: eight loops on the same one are rare.
    for _ in range(8):
        with sdk(two_workers) as client:
            history = first_turn(client, mock, NEW, trimmed, stream=stream)
        with sdk(two_workers) as client:
            assert second_turn(client, mock, NEW, history, stream=stream) == [SIGNATURE]
