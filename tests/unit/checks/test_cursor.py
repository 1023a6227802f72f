"""What `fastproxy check --cursor` says before anything is asked."""

from __future__ import annotations

import pytest

from fastproxy.checks.cursor import check_cursor, private_reason, safe_names
from fastproxy.checks.findings import State, is_faulty
from fastproxy.config import ApiKey, Settings
from fastproxy.config.settings import AuthSettings


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://brave-fox.trycloudflare.com/v1", ""),
        ("https://box.tail1234.ts.net/v1", ""),
        ("https://1.1.1.1/v1", ""),
        ("http://brave-fox.trycloudflare.com/v1", "https://"),
        ("https://localhost:4000/v1", "localhost"),
        ("https://192.168.1.7/v1", "no public address"),
        ("https://[::1]/v1", "no public address"),
        ("https://nas.local/v1", "nas.local"),
        ("https:///v1", "an empty name"),
        ("https://[x/v1", "no URL"),
    ],
)
def test_an_address_that_cursor_refuses_is_told_with_the_reason(url: str, reason: str) -> None:
    assert reason in private_reason(url)
    assert bool(reason) == bool(private_reason(url))


def test_names_of_cursors_own_makers_are_not_to_be_typed() -> None:
    names = [
        "demo-echo",
        "gemini-2.5-pro",
        "gm-2.5-pro",
        "claude-opus",
        "ol-gpt-oss:20b",
        "box/o3",
        "ol-foo3",
    ]
    assert safe_names(names) == ["gm-2.5-pro", "ol-foo3", "demo-echo"]


async def test_without_a_key_and_an_address_both_are_faults_with_their_remedies() -> None:
    (group,) = await check_cursor(Settings(), "")
    key, address, _typed = group.findings
    assert (key.state, address.state) == (State.FAULT, State.FAULT)
    assert "auth" in key.remedy
    assert "check --cursor --url" in address.remedy
    assert "cloudflared tunnel --url http://127.0.0.1:4000" in address.details


async def test_a_key_alone_is_not_enough() -> None:
    auth = AuthSettings(keys=[ApiKey.model_validate({"name": "cursor", "key": "sk-secret"})])
    groups = await check_cursor(Settings(auth=auth), "")
    assert is_faulty(groups)
    assert groups[0].findings[0].state is State.OK
    assert "sk-secret" not in repr(groups)
