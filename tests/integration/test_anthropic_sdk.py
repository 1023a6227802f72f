"""The Anthropic SDK to any model: untouched to Claude, translated to Gemini, DeepSeek and the demo models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import orjson
import pytest

from fastproxy.wire.anthropic.message import SIGNATURE as UNSIGNED
from testkit.mock import SSE_HEADERS, MockUpstream
from testkit.mock import sse as chat_events
from testkit.proxy import FastproxyProcess
from testkit.vertex import credentials, vertex_table
from tests.integration import gemini
from tests.integration.anthropic_upstream import (
    answer_with,
    event,
    refusal,
    reply,
    sent,
    stream,
    text,
    thinking,
    use,
)
from tests.integration.conftest import KEY, ONE_TRY

pytestmark = pytest.mark.slow
Json = dict[str, Any]

CLAUDE, GEMINI, DEEPSEEK = "claude-opus-4-6", "gemini-3-pro-preview", "deepseek-reasoner"
LIMITED_KEY = "sk-limited"
CONFIG = f"""
[auth]
keys = [
  {{{{ name = "tests", key = "{KEY}" }}}},
  {{{{ name = "limited", key = "{LIMITED_KEY}", models = ["demo-*"] }}}},
]
[server]
heartbeat_seconds = 0.2
[aliases]
mine = "{CLAUDE}"
[providers.anthropic]
api_key = "sk-upstream-secret"
base_url = "{{url}}"
{ONE_TRY}
[providers.demo]
{ONE_TRY}
[providers.deepseek]
api_key = "sk-upstream-secret"
base_url = "{{url}}"
{ONE_TRY}
"""
USER: list[Json] = [{"role": "user", "content": "hello"}]
TOOL: Json = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
IMAGE: Json = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
}
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])


@pytest.fixture(scope="module")
def proxy(mock_process: MockUpstream) -> Iterator[FastproxyProcess]:
    url = mock_process.url
    config = CONFIG.format(url=url) + vertex_table(url) + ONE_TRY
    with FastproxyProcess(config, files=credentials(url)) as running:
        yield running


@pytest.fixture
def client(proxy: FastproxyProcess, mock: MockUpstream) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=proxy.url, api_key=KEY, max_retries=0, timeout=20) as made:
        yield made


def ask(client: anthropic.Anthropic, model: str, messages: list[Json], streamed: bool, **more: Any) -> Any:
    """The whole message; that of a stream is put together by the SDK."""
    options: Json = {"model": model, "messages": messages, "max_tokens": 1000, **more}
    if not streamed:
        return client.messages.create(**options)
    with client.messages.stream(**options) as events:
        return events.get_final_message()


def raw(proxy: FastproxyProcess, body: bytes, path: str = "/v1/messages", **headers: str) -> httpx.Response:
    """What a client gets that does nothing but HTTP."""
    given = {"x-api-key": KEY, "content-type": "application/json", "anthropic-version": "2023-06-01"}
    known = {**given, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.post(proxy.url + path, content=body, headers=known, trust_env=False, timeout=20)


NATIVE = (
    b'{ "model": "claude-opus-4-6",  "stream": %b, "max_tokens": 1e3, "brand_new": {"model": 1},\n'
    b' "messages": [{"role":"user","content":"Gr\\u00fc\xc3\x9fe"}] }'
)


@pytest.mark.parametrize("path", ["/v1/messages", "/messages", "/v1/v1/messages", "/v1/messages?beta=true"])
def test_a_unary_request_and_its_answer_pass_byte_for_byte(
    proxy: FastproxyProcess, mock: MockUpstream, path: str
) -> None:
    body = b'{ "id":"msg_1", "model":"claude-opus-4-6", "content":[], "stop_reason":"end_turn", "x":1.0 }'
    mock.script({"body": body.decode(), "headers": {"content-type": "application/json"}}, path="/messages")
    asked = NATIVE % b"false"
    answer = raw(proxy, asked, path, anthropic_beta="a-1,b-2", anthropic_version="2024-01-01")
    assert answer.content == body
    assert answer.headers["x-fastproxy-provider"] == "anthropic"
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    [request] = sent(mock)
    assert (request.path, request.body) == ("/v1/messages", asked)
    assert request.header("anthropic-beta") == "a-1,b-2"
    assert request.header("anthropic-version") == "2024-01-01"
    assert request.header("x-api-key") == "sk-upstream-secret"


@pytest.mark.parametrize("split", [0, 7])
def test_a_stream_and_its_request_pass_byte_for_byte(
    proxy: FastproxyProcess, mock: MockUpstream, split: int
) -> None:
    blocks = (thinking("hm", "c2ln"), text("Grüße 日本"), use("toolu_1", "f", {"a": "event: error"}))
    pieces = stream(*blocks, stop="tool_use", model=CLAUDE)
    answer_with(mock, {"chunks": [p.decode() for p in pieces], "headers": SSE_HEADERS, "split_bytes": split})
    asked = NATIVE % b"true"
    answer = raw(proxy, asked)
    assert answer.content == b"".join(pieces)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert sent(mock)[0].body == asked


def test_a_compressed_request_reaches_claude_inflated(proxy: FastproxyProcess, mock: MockUpstream) -> None:
    import gzip

    asked = NATIVE % b"false"
    assert raw(proxy, gzip.compress(asked), content_encoding="gzip").status_code == 200
    assert sent(mock)[0].body == asked


def test_an_alias_changes_the_name_and_nothing_else(client: anthropic.Anthropic, mock: MockUpstream) -> None:
    for streamed in (False, True):
        answer_with(mock, reply(text("Hi"), streamed=streamed, model="claude-opus-4-6-20250929"))
        answer = ask(client, "mine", USER, streamed)
        assert (answer.model, answer.content[0].text) == ("mine", "Hi")
        assert answer.usage.cache_read_input_tokens == 8
    assert [request.json()["model"] for request in sent(mock)] == [CLAUDE, CLAUDE]


def test_claude_on_vertex_gets_the_same_messages(client: anthropic.Anthropic, mock: MockUpstream) -> None:
    for streamed in (False, True):
        answer_with(mock, reply(text("Hi"), streamed=streamed))
        answer = ask(
            client, "vertex/claude-3-5-sonnet", USER, streamed, extra_headers={"anthropic-beta": "b"}
        )
        assert answer.content[0].text == "Hi"
    whole, streaming = sent(mock)
    assert whole.path.endswith("/claude-3-5-sonnet:rawPredict")
    assert streaming.path.endswith("/claude-3-5-sonnet:streamRawPredict")
    assert whole.json()["anthropic_version"] == "vertex-2023-10-16"
    assert whole.json()["messages"] == USER
    assert "model" not in whole.json()
    assert (whole.header("anthropic-beta"), whole.header("anthropic-version")) == ("b", None)


@both_ways
def test_a_native_tool_loop(client: anthropic.Anthropic, mock: MockUpstream, streamed: bool) -> None:
    first_blocks = (thinking("hm", "c2ln"), use("toolu_1", "get_weather", {"city": "Rome"}))
    answer_with(
        mock,
        reply(*first_blocks, streamed=streamed, stop="tool_use"),
        reply(text("Sunny."), streamed=streamed),
    )
    options: Json = {"tools": [TOOL], "thinking": {"type": "adaptive"}}
    first = ask(client, CLAUDE, USER, streamed, **options)
    assert first.stop_reason == "tool_use"
    said = [block.model_dump(exclude_none=True) for block in first.content]
    history = [*USER, {"role": "assistant", "content": said}, _results(first)]
    assert ask(client, CLAUDE, history, streamed, **options).content[0].text == "Sunny."
    assert sent(mock)[1].json()["messages"] == history


def _results(answer: Any, told: str = "sunny") -> Json:
    calls = [block for block in answer.content if block.type == "tool_use"]
    return {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": call.id, "content": told} for call in calls],
    }


@both_ways
def test_a_tool_loop_with_gemini_keeps_its_signature(
    client: anthropic.Anthropic, mock: MockUpstream, streamed: bool
) -> None:
    thought = {"text": "They want the weather.", "thought": True}
    called = gemini.call("get_weather", {"city": "Rome"}, gemini.SIGNATURE)
    gemini.answer_with(
        mock,
        gemini.reply(thought, gemini.text("I look."), called, stream=streamed),
        gemini.reply(gemini.text("Sunny in Rome."), stream=streamed),
    )
    options: Json = {"tools": [TOOL], "thinking": {"type": "enabled", "budget_tokens": 20_000}}
    question = [{"role": "user", "content": [{"type": "text", "text": "here?"}, IMAGE]}]
    first = ask(client, GEMINI, question, streamed, system="Be brief.", **options)
    assert [block.type for block in first.content] == ["thinking", "text", "tool_use"]
    assert (first.content[0].thinking, first.content[0].signature) == ("They want the weather.", UNSIGNED)
    assert first.content[2].input == {"city": "Rome"}
    assert (first.stop_reason, first.model) == ("tool_use", GEMINI)
    assert (first.usage.input_tokens, first.usage.cache_read_input_tokens) == (12, 8)
    said = [block.model_dump(exclude_none=True) for block in first.content]
    history = [*question, {"role": "assistant", "content": said}, _results(first)]
    second = ask(client, GEMINI, history, streamed, **options)
    assert second.content[0].text == "Sunny in Rome."
    opening, replay = gemini.sent(mock)
    assert opening.json()["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert opening.json()["contents"][0]["parts"][1]["inlineData"]["mimeType"] == "image/png"
    assert opening.json()["generationConfig"]["thinkingConfig"]["thinkingLevel"] == "HIGH"
    assert gemini.signatures(replay) == [gemini.SIGNATURE]


def _chat(delta: Json, finish: str | None = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
        **more,
    }


def _deepseek(streamed: bool, finish: str, **said: Any) -> Json:
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13, "prompt_cache_hit_tokens": 5}
    if streamed:
        calls = [{"index": i, **call} for i, call in enumerate(said.pop("tool_calls", ()))]
        deltas = [_chat({name: value}) for name, value in said.items()]
        deltas += [_chat({"tool_calls": [call]}) for call in calls]
        last = _chat({}, finish, usage=usage)
        return {"chunks": chat_events([*deltas, last, "[DONE]"]), "headers": SSE_HEADERS}
    choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": finish}
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    return {"json": {**head, "choices": [choice], "usage": usage}}


@both_ways
def test_a_tool_loop_with_deepseek_gives_its_thoughts_back(
    client: anthropic.Anthropic, mock: MockUpstream, streamed: bool
) -> None:
    calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": "get_weather", "arguments": given}}
        for n, given in enumerate(('{"city":"Rome"}', '{"city":"Oslo"}'))
    ]
    mock.script(
        _deepseek(streamed, "tool_calls", reasoning_content="Two cities.", tool_calls=calls),
        _deepseek(streamed, "stop", reasoning_content="Now I know.", content="Sunny."),
        path="/chat/completions",
    )
    options: Json = {"tools": [TOOL], "thinking": {"type": "enabled", "budget_tokens": 5000}}
    first = ask(client, DEEPSEEK, USER, streamed, **options)
    assert [block.type for block in first.content] == ["thinking", "tool_use", "tool_use"]
    assert [block.input for block in first.content[1:]] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert (first.usage.input_tokens, first.usage.cache_read_input_tokens) == (4, 5)
    # a client that drops the thoughts: they are remembered here
    said = [block.model_dump(exclude_none=True) for block in first.content[1:]]
    history = [*USER, {"role": "assistant", "content": said}, _results(first)]
    second = ask(client, DEEPSEEK, history, streamed, **options)
    assert (second.content[-1].text, second.stop_reason) == ("Sunny.", "end_turn")
    replay = [r for r in mock.requests() if r.path.endswith("/chat/completions")][1].json()
    assert replay["messages"][1]["reasoning_content"] == "Two cities."
    assert [m["tool_call_id"] for m in replay["messages"][2:]] == ["call_0", "call_1"]
    assert replay["thinking"] == {"type": "enabled"}


@both_ways
def test_demo_models(client: anthropic.Anthropic, streamed: bool) -> None:
    echoed = ask(client, "demo-echo", [{"role": "user", "content": "Grüße 日本"}], streamed)
    assert (echoed.content[0].text, echoed.stop_reason) == ("Grüße 日本", "end_turn")
    assert echoed.usage.output_tokens > 0
    called = ask(client, "demo-tools", USER, streamed, tools=[TOOL])
    assert (called.content[0].name, called.stop_reason) == ("get_weather", "tool_use")
    said = [block.model_dump(exclude_none=True) for block in called.content]
    history = [*USER, {"role": "assistant", "content": said}, _results(called)]
    last = ask(client, "demo-tools", history, streamed, tools=[TOOL])
    assert "sunny" in last.content[0].text


REFUSALS: dict[str, tuple[Json, type[anthropic.APIStatusError], int, str]] = {
    "400": (
        refusal(400, "invalid_request_error"),
        anthropic.BadRequestError,
        400,
        "invalid_request_error",
    ),
    "401": (refusal(401, "authentication_error"), anthropic.InternalServerError, 502, "api_error"),
    "404": (refusal(404, "not_found_error"), anthropic.NotFoundError, 404, "not_found_error"),
    "429": (refusal(429, "rate_limit_error"), anthropic.RateLimitError, 429, "rate_limit_error"),
    "529": (refusal(529, "overloaded_error"), anthropic.InternalServerError, 503, "overloaded_error"),
}


@pytest.mark.parametrize("case", REFUSALS)
@both_ways
def test_claudes_refusals_keep_their_meaning(
    client: anthropic.Anthropic, mock: MockUpstream, case: str, streamed: bool
) -> None:
    answer, kind, status, word = REFUSALS[case]
    answer_with(mock, answer)
    with pytest.raises(anthropic.APIStatusError) as raised:
        ask(client, CLAUDE, USER, streamed)
    error: Any = raised.value
    assert isinstance(error, kind)
    assert (error.status_code, error.body["error"]["type"]) == (status, word)
    assert "what happened" in error.body["error"]["message"]
    assert error.body["request_id"] == error.request_id


def test_a_native_request_is_not_repaired_behind_its_clients_back(
    client: anthropic.Anthropic, mock: MockUpstream
) -> None:
    answer_with(mock, refusal(400, "invalid_request_error", "Invalid signature in thinking block"))
    with pytest.raises(anthropic.BadRequestError):
        ask(client, CLAUDE, USER, False)
    assert len(sent(mock)) == 1


@pytest.mark.parametrize(("number", "kind"), [(400, 400), (429, 429), (503, 503)])
def test_other_models_refusals_are_told_in_the_same_words(
    client: anthropic.Anthropic, number: int, kind: int
) -> None:
    with pytest.raises(anthropic.APIStatusError) as raised:
        ask(client, f"demo-error-{number}", USER, True)
    assert raised.value.status_code == kind
    body: Any = raised.value.body
    assert body["type"] == "error"


@pytest.mark.parametrize("model", [CLAUDE, "demo-error-midstream"])
def test_a_broken_stream_raises_and_never_looks_whole(
    client: anthropic.Anthropic, proxy: FastproxyProcess, mock: MockUpstream, model: str
) -> None:
    pieces = [piece.decode() for piece in stream(text("Half an answer"), model=CLAUDE)]
    answer_with(mock, {"chunks": pieces[:5], "headers": SSE_HEADERS})
    with pytest.raises(anthropic.APIStatusError, match="api_error"):
        ask(client, model, USER, True)
    body = orjson.dumps({"model": model, "max_tokens": 9, "messages": USER, "stream": True})
    seen = raw(proxy, body).content
    assert seen.rsplit(b"event: ", 1)[1].startswith(b"error\n")
    assert b"message_stop" not in seen


def test_pings_keep_a_waiting_client_and_end_with_the_first_content(
    proxy: FastproxyProcess, mock: MockUpstream
) -> None:
    pieces: list[Any] = [piece.decode() for piece in stream(text("At last"), model=CLAUDE)]
    late = {"text": pieces[3], "delay_ms": 700}
    answer_with(mock, {"chunks": [*pieces[:3], late, *pieces[4:]], "headers": SSE_HEADERS})
    seen = raw(proxy, NATIVE % b"true").content
    ping = event("ping")
    before, _, after = seen.partition(b": x-fastproxy-provider: anthropic")
    assert before == ping * before.count(ping)
    assert before
    assert after.endswith("\n{}".format("".join(pieces)).encode())


@pytest.mark.parametrize(
    ("method", "path", "key", "body", "status", "word"),
    [
        ("POST", "/v1/messages", "wrong", b"{}", 401, "authentication_error"),
        ("POST", "/v1/messages", "sk-limited", NATIVE % b"false", 403, "permission_error"),
        ("POST", "/v1/messages", KEY, b'{"model":"nobody"}', 404, "not_found_error"),
        ("POST", "/v1/messages", KEY, b"{", 400, "invalid_request_error"),
        ("POST", "/v1/messages", KEY, b'{"model":"demo-echo"}', 400, "invalid_request_error"),
        ("POST", "/v1/messages", KEY, b'{"model":"' + b"x" * 40_000_000, 413, "request_too_large"),
        ("GET", "/v1/messages", KEY, b"", 405, "invalid_request_error"),
        ("POST", "/v1/messages/batches", KEY, b"{}", 404, "not_found_error"),
        ("POST", "/v1/messages/count_tokens", "wrong", b"{}", 401, "authentication_error"),
    ],
)
def test_our_own_refusals_are_in_anthropics_envelope(
    proxy: FastproxyProcess, method: str, path: str, key: str, body: bytes, status: int, word: str
) -> None:
    headers = {"x-api-key": key, "content-type": "application/json"}
    answer = httpx.request(method, proxy.url + path, content=body, headers=headers, trust_env=False)
    assert answer.status_code == status
    told = answer.json()
    assert (told["type"], told["error"]["type"]) == ("error", word)
    assert told["request_id"] == answer.headers["x-request-id"]


def test_a_second_model_in_the_body_does_not_widen_a_key(proxy: FastproxyProcess, mock: MockUpstream) -> None:
    two = b'{"model":"claude-haiku-4-5","model":"claude-opus-4-6","max_tokens":1,"messages":[]}'
    assert raw(proxy, two).status_code == 200
    assert b"haiku" not in sent(mock)[0].body
    hidden = b'{"model":"demo-echo","model":"claude-opus-4-6"}'
    assert raw(proxy, hidden, x_api_key=LIMITED_KEY).status_code == 403


def test_tokens_are_counted_by_claude_and_estimated_for_others(
    client: anthropic.Anthropic, proxy: FastproxyProcess, mock: MockUpstream
) -> None:
    mock.script({"json": {"input_tokens": 4711}}, path="/count_tokens")
    mock.script({"json": {"input_tokens": 4712}}, path="/count-tokens:rawPredict")
    count: Any = client.messages.count_tokens
    assert count(model=CLAUDE, messages=USER).input_tokens == 4711
    assert count(model="vertex/claude-3-5-sonnet", messages=USER).input_tokens == 4712
    direct, vertex = [r for r in mock.requests() if "count" in r.path]
    assert direct.path == "/v1/messages/count_tokens"
    assert vertex.json()["model"] == "claude-3-5-sonnet"
    long = [{"role": "user", "content": "x" * 7000}]
    assert 2000 <= count(model=GEMINI, messages=long, tools=[TOOL]).input_tokens < 2100
    answer = raw(proxy, orjson.dumps({"model": "demo-echo", "messages": long}), "/messages/count_tokens")
    assert answer.headers["x-fastproxy-warning"] == "estimated, not counted"
    mock.script(refusal(404, "not_found_error"), path="/count_tokens")
    assert 2000 <= count(model=CLAUDE, messages=long).input_tokens < 2100
    mock.script(refusal(401, "authentication_error"), path="/count_tokens")
    with pytest.raises(anthropic.InternalServerError):
        count(model=CLAUDE, messages=long)


def test_models_are_listed_in_anthropics_shape(client: anthropic.Anthropic) -> None:
    listed = list(client.models.list())
    known = {model.id for model in listed}
    assert {"demo-echo", DEEPSEEK, GEMINI} <= known
    assert listed[0].type == "model"
    assert client.models.retrieve("demo-echo").display_name == "demo-echo"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nobody")


@pytest.mark.parametrize("path", ["/", "/api/hello"])
def test_whoever_knocks_is_greeted(proxy: FastproxyProcess, path: str) -> None:
    for method in ("HEAD", "GET"):
        assert httpx.request(method, proxy.url + path, trust_env=False).status_code == 200


def test_a_stream_that_its_client_leaves_is_cancelled(
    client: anthropic.Anthropic, mock: MockUpstream
) -> None:
    pieces: list[Any] = [piece.decode() for piece in stream(text("Hello"), model=CLAUDE)]
    answer_with(mock, {"chunks": pieces[:4], "headers": SSE_HEADERS, "end": "stall"})
    with client.messages.stream(
        model=CLAUDE, max_tokens=9, messages=[{"role": "user", "content": "hi"}]
    ) as it:
        assert next(iter(it.text_stream)) == "He"
    mock.wait("aborted")
