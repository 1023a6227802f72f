"""The OpenAI Node SDK through the proxy."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from testkit.mock import MockUpstream
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY
from tests.integration.test_openai_sdk import CALLS, MODELS

FOLDER = Path(__file__).parent / "node"
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(
    NODE is None or not (FOLDER / "node_modules" / "openai").is_dir(),
    reason="needs node, and `npm ci` in tests/integration/node",
)


def run(proxy: FastproxyProcess, model: str, scenario: str) -> dict[str, Any]:
    command = [str(NODE), "chat.mjs", f"{proxy.url}/v1", KEY, model, scenario]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answer: dict[str, Any] = orjson.loads(done.stdout)
    return answer


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_unary_stream_and_tools_read_as_the_sdk_expects(
    proxy: FastproxyProcess, mock: MockUpstream, model: str
) -> None:
    unary = run(proxy, model, "unary")
    assert unary["text"]
    assert (unary["finish"], unary["model"]) == ("stop", model)
    stream = run(proxy, model, "stream")
    assert stream["text"]
    assert stream["ids"] == 1
    mock.script({"chunks": list(CALLS)})
    tools = run(proxy, model, "tools")
    assert tools["finish"] == "tool_calls"
    assert [call["function"]["arguments"] for call in tools["calls"]] == [
        '{"city":"Rome"}',
        '{"city":"Oslo"}',
    ]


def test_an_error_before_the_first_content_is_a_status(proxy: FastproxyProcess, mock: MockUpstream) -> None:
    mock.script(
        {"status": 429, "headers": [["retry-after", "7"]], "json": {"error": {"message": "slow down"}}}
    )
    answer = run(proxy, "deepseek-chat", "error")
    assert answer == {"raised": "RateLimitError", "status": 429, "code": "rate_limit_exceeded"}
