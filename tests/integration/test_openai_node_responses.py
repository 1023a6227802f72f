"""The OpenAI Node SDK's `responses` through the proxy: a tool loop of two turns."""

from __future__ import annotations

import subprocess

import orjson

from testkit.mock import SSE_HEADERS, MockUpstream
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY
from tests.integration.test_openai_node import FOLDER, NODE, pytestmark
from tests.integration.test_openai_sdk import CALLS

__all__ = ["pytestmark"]


def test_a_tool_loop_reads_as_the_sdk_expects(proxy: FastproxyProcess, mock: MockUpstream) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Sunny."}, "finish_reason": "stop"}
    answer = {"id": "up", "object": "chat.completion", "created": 1, "model": "up", "choices": [choice]}
    mock.script({"chunks": list(CALLS), "headers": SSE_HEADERS}, {"json": answer}, path="/completions")
    command = [str(NODE), "responses.mjs", f"{proxy.url}/v1", KEY, "deepseek-chat"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert orjson.loads(done.stdout) == {
        "types": ["response.created", "response.completed"],
        "calls": ['{"city":"Rome"}', '{"city":"Oslo"}'],
        "status": "completed",
        "text": "Sunny.",
    }
    [_first, second] = [request for request in mock.requests() if request.method == "POST"]
    assert [message["role"] for message in second.json()["messages"]] == ["user", "assistant", "tool", "tool"]
