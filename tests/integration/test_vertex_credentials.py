"""Google's token endpoint as clients feel it: not at all while a token is valid, and clearly when none is."""

from __future__ import annotations

import httpx
import openai
import pytest

from testkit.mock import RESETS, MockUpstream
from tests.integration.conftest import sdk, vertex_proxy
from tests.integration.gemini import MODELS, sent
from tests.sdk import USER, ask, both_ways

MODEL = MODELS[1]


def token(seconds: int) -> dict[str, object]:
    return {"json": {"access_token": f"lives-{seconds}", "expires_in": seconds, "token_type": "Bearer"}}


@pytest.mark.slow
def test_a_token_endpoint_that_is_down_is_not_noticed_while_the_token_is_valid(mock: MockUpstream) -> None:
    mock.script(token(8), {"status": 503, "json": {"error": "down"}}, path="/token")
    with vertex_proxy(mock.url) as proxy, sdk(proxy) as client:
        assert ask(client, MODEL, USER, stream=False).choices[0].message.content
        mock.wait("received", at_least=3, timeout=8)  # the renewal, at half the token's life, fails
        for stream in (False, True):
            assert ask(client, MODEL, USER, stream=stream).choices[0].message.content
        assert {request.header("authorization") for request in sent(mock)} == {"Bearer lives-8"}


@both_ways
def test_without_any_token_the_error_names_the_endpoint_and_nothing_is_sent(
    mock: MockUpstream, stream: bool
) -> None:
    mock.script(RESETS, path="/token")
    with vertex_proxy(mock.url) as proxy, sdk(proxy) as client:
        with pytest.raises(openai.InternalServerError, match="token") as caught:
            ask(client, MODEL, USER, stream=stream)
        assert caught.value.code == "connection_failed"
        assert sent(mock) == []
        assert httpx.get(f"{proxy.url}/health/live", trust_env=False).status_code == 200


@both_ways
def test_a_revoked_key_is_the_operators_fault_in_clear_words(mock: MockUpstream, stream: bool) -> None:
    revoked = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    mock.script({"status": 400, "json": revoked}, path="/token")
    with vertex_proxy(mock.url) as proxy, sdk(proxy) as client:
        with pytest.raises(openai.InternalServerError, match=r"service-account\.json") as caught:
            ask(client, MODEL, USER, stream=stream)
        assert caught.value.code == "upstream_auth_failed"
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert "PRIVATE KEY" not in caught.value.message + proxy.output()
