"""The Vercel AI SDK through the proxy: tool loops that it runs by itself, to DeepSeek and to Gemini."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import orjson
import pytest

from testkit.mock import MockUpstream
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY
from tests.integration.gemini import SIGNATURE, Json, answer_with, call, reply, sent, signatures, text
from tests.integration.test_openai_sdk import CALLS, chunk, posts

FOLDER = Path(__file__).parent / "node"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        NODE is None or not (FOLDER / "node_modules" / "@ai-sdk" / "openai-compatible").is_dir(),
        reason="needs node, and `npm ci` in tests/integration/node",
    ),
]


def run(proxy: FastproxyProcess, model: str, scenario: str) -> Json:
    command = [str(NODE), "ai_sdk.mjs", f"{proxy.url}/v1", KEY, model, scenario]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answer: Json = orjson.loads(done.stdout)
    return answer


@pytest.mark.parametrize("scenario", ["unary", "stream"])
def test_a_loop_to_gemini_gives_the_signature_back(
    vertex_process: FastproxyProcess, mock: MockUpstream, scenario: str
) -> None:
    stream = scenario == "stream"
    made = [call("get_weather", {"city": "Rome"}, SIGNATURE), call("get_weather", {"city": "Oslo"})]
    answer_with(mock, reply(*made, stream=stream), reply(text("Sunny."), stream=stream))
    answer = run(vertex_process, "gemini-3-pro-preview", scenario)
    assert (answer["text"], answer["finish"], answer["steps"]) == ("Sunny.", "stop", 2)
    assert answer["ran"] == ["Rome", "Oslo"]
    assert (answer["usage"]["inputTokens"], answer["usage"]["outputTokens"]) == (20, 11)
    _, second = sent(mock)
    assert signatures(second) == [SIGNATURE, None]
    assert [part["functionResponse"]["response"] for part in second.json()["contents"][-1]["parts"]] == [
        {"output": "sunny in Rome"},
        {"output": "sunny in Oslo"},
    ]


def test_a_loop_to_deepseek_streams_its_parts_in_order(proxy: FastproxyProcess, mock: MockUpstream) -> None:
    said = [chunk({"role": "assistant", "content": "Sunny."}), chunk({}, "stop"), "data: [DONE]\n\n"]
    mock.script({"chunks": list(CALLS)}, {"chunks": said}, path="/chat/completions")
    answer = run(proxy, "deepseek-chat", "stream")
    assert (answer["text"], answer["steps"], answer["ran"]) == ("Sunny.", 2, ["Rome", "Oslo"])
    order = [kind for kind in answer["kinds"] if kind.startswith(("tool-input", "text", "finish-step"))]
    assert order[0] == "tool-input-start"
    assert order[-4:] == ["text-start", "text-delta", "text-end", "finish-step"]
    *_, second = posts(mock)
    assert [message["role"] for message in second.json()["messages"]] == ["user", "assistant", "tool", "tool"]


def test_an_error_is_its_own_class_with_our_words(proxy: FastproxyProcess, mock: MockUpstream) -> None:
    mock.script({"status": 402, "json": {"error": {"message": "Insufficient Balance"}}})
    answer = run(proxy, "deepseek-chat", "error")
    assert answer["raised"] is True
    assert "Insufficient Balance" in answer["message"]
