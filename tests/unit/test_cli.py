"""The screen that a start prints."""

from __future__ import annotations

from typing import Any

from fastproxy.cli import welcome
from fastproxy.config import Settings, off_reasons


def screen(**tables: Any) -> str:
    settings = Settings.model_validate(tables, context={"environment": {}})
    return welcome(settings, off_reasons(settings, {}), "fastproxy.toml", 4000)


def test_a_provider_that_is_off_comes_with_the_remedy() -> None:
    assert "deepseek   off   set DEEPSEEK_API_KEY or providers.deepseek.api_key" in screen()


def test_a_server_of_the_user_is_on_if_it_runs() -> None:
    assert "ollama     on    if Ollama runs at http://127.0.0.1:11434\n" in screen()


def test_the_key_is_called_by_its_name() -> None:
    shown = screen(auth={"keys": [{"name": "cursor", "key": "sk-secret"}]})
    assert "API key: the key of 'cursor'" in shown
    assert "sk-secret" not in shown


def test_the_status_page_is_named_where_it_is_on() -> None:
    assert "in a browser    http://127.0.0.1:4000/\n" in screen()
    assert "in a browser" not in screen(server={"status_page": False})
