"""The Claude Code CLI as a client: Gemini answers, tools run here, and thoughts come back signed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import orjson
import pytest

from testkit.mock import MockUpstream
from testkit.process import clean_environment
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY
from tests.integration.gemini import (
    SIGNATURE,
    Json,
    answer_with,
    call,
    refusal,
    reply,
    sent,
    signatures,
    text,
)

CLAUDE = os.environ.get("FASTPROXY_TEST_CLAUDE_BIN") or shutil.which("claude")  # noqa: TID251
MODEL = "gemini-3-pro-preview"
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_MAX_RETRIES": "0",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CLAUDE is None, reason="no claude CLI: it is not on PATH, and FASTPROXY_TEST_CLAUDE_BIN is not set"
    ),
]


def claude(proxy: FastproxyProcess, home: Path, prompt: str) -> Json:
    """What `claude -p` tells of its turn; it finds no settings, and may read what lies in `home`."""
    command = [str(CLAUDE), "-p", prompt, "--model", MODEL, "--output-format", "json"]
    command += ["--setting-sources", "", "--strict-mcp-config", "--no-session-persistence"]
    environment = {"HOME": str(home), "ANTHROPIC_BASE_URL": proxy.url, "ANTHROPIC_API_KEY": KEY, **QUIET}
    done = subprocess.run(
        command,
        cwd=home,
        env=clean_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=50,
        check=False,
    )
    told: Json = orjson.loads(done.stdout)
    return told


def test_it_reads_a_file_that_gemini_asks_for(
    vertex_process: FastproxyProcess, mock: MockUpstream, tmp_path: Path
) -> None:
    note = tmp_path / "note.txt"
    note.write_text("the word is aubergine\n")
    answer_with(
        mock,
        reply(text("I look."), call("Read", {"file_path": str(note)}, SIGNATURE), stream=True),
        reply(text("It is aubergine."), stream=True),
    )
    told = claude(vertex_process, tmp_path, "Read note.txt and tell me its word")
    assert (told["is_error"], told["result"], told["num_turns"]) == (False, "It is aubergine.", 2)
    assert told["usage"]["output_tokens"] == 22
    asked, answered = sent(mock)
    assert len(asked.json()["tools"][0]["functionDeclarations"]) > 5
    [part] = answered.json()["contents"][-1]["parts"]
    assert part["functionResponse"]["name"] == "Read"
    assert "the word is aubergine" in part["functionResponse"]["response"]["output"]
    assert signatures(answered) == [SIGNATURE]


def test_it_shows_what_gemini_refuses(
    vertex_process: FastproxyProcess, mock: MockUpstream, tmp_path: Path
) -> None:
    answer_with(mock, refusal(429, "Quota exceeded for the mock.", "RESOURCE_EXHAUSTED"))
    told = claude(vertex_process, tmp_path, "hello")
    assert told["is_error"]
    assert told["api_error_status"] == 429
    assert "Quota exceeded for the mock." in told["result"]
