"""Tool loops of five turns with a client that drops unknown fields, and a proxy that is restarted midway."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import openai
import orjson
import pytest

from testkit.mock import MockUpstream, Recorded
from testkit.proxy import FastproxyProcess
from tests.integration import gemini
from tests.integration.conftest import OTHER_KEY, sdk
from tests.integration.every_provider import proxy_to_all
from tests.integration.test_openai_sdk import chunk
from tests.sdk import USER, WEATHER, Json, ask, calls, result, trimmed

pytestmark = pytest.mark.slow
CALLS = 5
RESTART_BEFORE = 3
"""The turn that a new process answers."""
SQLITE = '[continuity]\nstorage = "sqlite:///{folder}/continuity.db"\n'


@dataclass(frozen=True, slots=True)
class Loop:
    """A model whose calls come with something that it wants back."""

    model: str
    path: str
    """The end of its path."""
    reply: Callable[[int], Json]
    """The mock's reply of a turn: a call with its thoughts, and after the last one a text."""
    wanted_back: Callable[[Json], list[str | None]]
    """What came back with each answer of the model in a request, in order."""

    def sent(self, mock: MockUpstream) -> Recorded:
        """The one request to the model."""
        [request] = [request for request in mock.requests() if self.path in request.path]
        return request


def mark(turn: int) -> str:
    """A turn's thought, or its signature: a text that is base64 too."""
    return f"thought{turn}"


def gemini_reply(turn: int) -> Json:
    said = gemini.call("get_weather", {"city": f"City {turn}"}, mark(turn))
    return gemini.reply(said if turn <= CALLS else gemini.text("Done."), stream=True)


def gemini_wanted_back(body: Json) -> list[str | None]:
    parts = [part for content in body["contents"] for part in content["parts"]]
    return [part.get("thoughtSignature") for part in parts if "functionCall" in part]


def deepseek_reply(turn: int) -> Json:
    function = {"name": "get_weather", "arguments": orjson.dumps({"city": f"City {turn}"}).decode()}
    made = {"index": 0, "id": f"call_{turn}", "type": "function", "function": function}
    said, finish = ({"tool_calls": [made]}, "tool_calls") if turn <= CALLS else ({"content": "Done."}, "stop")
    thought = {"role": "assistant", "content": None, "reasoning_content": mark(turn)}
    return {"chunks": [chunk(thought), chunk(said), chunk({}, finish), "data: [DONE]\n\n"]}


def deepseek_wanted_back(body: Json) -> list[str | None]:
    return [m.get("reasoning_content") for m in body["messages"] if m["role"] == "assistant"]


GEMINI = Loop("gemini-3-pro-preview", "Content", gemini_reply, gemini_wanted_back)
DEEPSEEK = Loop("deepseek-reasoner", "/chat/completions", deepseek_reply, deepseek_wanted_back)


def proxy(upstream: str, folder: Path) -> FastproxyProcess:
    """A proxy whose memory lies in a file of `folder`."""
    return proxy_to_all(upstream, SQLITE.format(folder=folder))


def play(client: openai.OpenAI, mock: MockUpstream, loop: Loop, turns: range, history: list[Json]) -> None:
    """Plays these turns, and adds to the history what the client keeps of them; whatever came with the
    answers before must reach the model each time."""
    for turn in turns:
        mock.reset()
        mock.script(loop.reply(turn), path=loop.path)
        answer = ask(client, loop.model, history, stream=True, tools=[WEATHER])
        assert loop.wanted_back(loop.sent(mock).json()) == [mark(earlier) for earlier in range(1, turn)]
        message = answer.choices[0].message
        history.append(trimmed(message))
        if turn > CALLS:
            assert message.content == "Done."
            return
        [made] = calls(message)
        assert made.arguments == {"city": f"City {turn}"}
        history.append(result(made.id, f"sunny {turn}"))


@pytest.mark.parametrize("loop", [GEMINI, DEEPSEEK], ids=lambda loop: loop.model)
def test_five_calls_survive_a_client_that_drops_unknown_fields_and_a_restart(
    mock_process: MockUpstream, mock: MockUpstream, tmp_path: Path, loop: Loop
) -> None:
    history = [*USER]
    with proxy(mock_process.url, tmp_path) as before, sdk(before) as client:
        play(client, mock, loop, range(1, RESTART_BEFORE), history)
    with proxy(mock_process.url, tmp_path) as after, sdk(after) as client:
        play(client, mock, loop, range(RESTART_BEFORE, CALLS + 2), history)
        with sdk(after, OTHER_KEY) as stranger:
            mock.reset()
            ask(stranger, loop.model, [*history, *USER], stream=True, tools=[WEATHER])
            told = loop.wanted_back(loop.sent(mock).json())
            assert not {mark(turn) for turn in range(1, CALLS + 2)} & set(told)


def test_the_thoughts_of_the_answer_that_ends_a_loop_reach_deepseek_with_the_next_question(
    mock_process: MockUpstream, mock: MockUpstream, tmp_path: Path
) -> None:
    history = [*USER]
    with proxy(mock_process.url, tmp_path) as running, sdk(running) as client:
        play(client, mock, DEEPSEEK, range(1, CALLS + 2), history)
        mock.reset()
        ask(client, DEEPSEEK.model, [*history, *USER], stream=True, tools=[WEATHER])
        told = DEEPSEEK.wanted_back(DEEPSEEK.sent(mock).json())
    assert told == [mark(turn) for turn in range(1, CALLS + 2)]
