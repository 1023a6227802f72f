"""What the command line says before anything serves."""

from __future__ import annotations

import signal
import tempfile
from typing import Never

import pytest
from click.testing import CliRunner

from fastproxy.cli import main


def test_a_start_without_a_folder_for_temporary_files_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nowhere() -> Never:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process is not the server
    told = CliRunner().invoke(main, ["serve", "--port", "0"])
    assert told.exit_code == 1
    assert "mount one at /tmp (docker run --tmpfs /tmp), or set TMPDIR" in told.output
