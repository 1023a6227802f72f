"""The `llm` command through the proxy, as its users set it up: by a file that names the server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from testkit.mock import MockUpstream
from testkit.process import clean_environment
from testkit.proxy import FastproxyProcess
from tests.integration.conftest import KEY
from tests.integration.test_openai_sdk import posts

pytestmark = pytest.mark.slow
MODELS_FILE = """
- model_id: ours
  model_name: deepseek-chat
  api_base: "{url}/v1"
  api_key_name: ours
"""


def llm(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`llm ARGUMENTS`, with its settings in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "llm", *arguments],
        env=clean_environment({"LLM_USER_PATH": str(folder), "HOME": str(folder)}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


@pytest.fixture
def folder(proxy: FastproxyProcess, tmp_path: Path) -> Path:
    """`llm`'s folder, where it finds the proxy."""
    (tmp_path / "extra-openai-models.yaml").write_text(MODELS_FILE.format(url=proxy.url))
    return tmp_path


def test_a_prompt_is_answered(folder: Path, mock: MockUpstream) -> None:
    done = llm(folder, "-m", "ours", "--key", KEY, "--no-log", "hello")
    assert (done.returncode, done.stdout.strip()) == (0, "Hello from the mock."), done.stderr
    [request] = posts(mock)
    assert request.json()["messages"] == [{"role": "user", "content": "hello"}]
