"""The OpenAI SDK to Claude through the local CLI: the fake one, and the machine's own where there is one.

What reached Anthropic, which is the mock, is compared word for word: nothing of a request may be lost, added
or asked twice on the way through a program that was made for something else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest

from testkit.claude import ClaudeProxy, Cli, fake_cli, real_cli, until
from testkit.mock import SSE_HEADERS, MockUpstream
from testkit.process import is_alive
from tests.integration.anthropic_upstream import half_an_answer, refusal, reply, sent, text, thinking, use
from tests.integration.conftest import ONE_TRY, sdk
from tests.sdk import USER, WEATHER, ask, both_ways, calls, extension, kept, result, trimmed

pytestmark = pytest.mark.slow
MODEL = "claude-sonnet"
"""The one for which processes are kept ready from the start."""
SIGNATURE = "c2lnbmF0dXJlLW9uZQ=="
IMAGE = "data:image/png;base64,iVBORw0KGgo="
ASKS_AGAIN_SECONDS = 0.15
"""The CLI's next request, where it makes one, comes 20 to 50 ms after the answer's end."""
TIMES = 3


@pytest.fixture(scope="module", params=[fake_cli(), real_cli()], ids=lambda cli: cli.name)
def claude(request: pytest.FixtureRequest, mock_process: MockUpstream) -> Iterator[ClaudeProxy]:
    """A proxy with a warm CLI whose Anthropic is the mock."""
    cli: Cli = request.param
    if cli.missing:
        pytest.skip(cli.missing)
    with ClaudeProxy(cli, mock_process.url, settings=ONE_TRY, pool_size=1) as running:
        yield running


@pytest.fixture
def client(claude: ClaudeProxy, mock: MockUpstream) -> Iterator[openai.OpenAI]:
    with sdk(claude) as made:
        yield made


def answers(mock: MockUpstream, *replies: dict[str, Any]) -> None:
    mock.script(*replies, path="/messages")


def one_request(mock: MockUpstream, *, waiting: bool = False) -> dict[str, Any]:
    """The body of the only request. `waiting`: the CLI, which would, is given the time to ask again."""
    time.sleep(ASKS_AGAIN_SECONDS * waiting)
    [request] = sent(mock)
    return request.json()


@both_ways
def test_a_question_is_answered_with_its_usage(
    client: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    answers(mock, reply(text("Grüße 日本"), streamed=True))
    answer = ask(client, MODEL, USER, stream=stream)
    assert (answer.choices[0].message.content, answer.model) == ("Grüße 日本", MODEL)
    assert answer.choices[0].finish_reason == "stop"
    usage = answer.usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (20, 7, 27)
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 8
    body = one_request(mock)
    assert body["stream"] is True
    assert "sonnet" in body["model"]


@pytest.mark.parametrize("model", ["claude-opus", "claude-opus-4-1-20250805"])
def test_the_cli_is_asked_for_the_model(client: openai.OpenAI, mock: MockUpstream, model: str) -> None:
    ask(client, model, USER, stream=False)
    asked = one_request(mock)["model"]
    assert model.removeprefix("claude-") in asked if model.count("-") == 1 else asked == model


def test_a_history_of_ten_turns_arrives_in_order_and_whole(client: openai.OpenAI, mock: MockUpstream) -> None:
    turns = [
        {"role": role, "content": f"{role} says {number}: \n\t“é” </system> " + "x" * 200}
        for number in range(10)
        for role in ("user", "assistant")
    ]
    history = [{"role": "system", "content": "Be\nbrief."}, *turns, {"role": "user", "content": "And now?"}]
    ask(client, MODEL, history, stream=True)
    body = one_request(mock)
    assert [(m["role"], said(m)) for m in body["messages"]] == [
        (m["role"], m["content"]) for m in history[1:]
    ]
    assert body["system"][-1]["text"] == "Be\nbrief."
    assert len(body["system"]) == 3  # the CLI's billing header and identity come before the client's


def said(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def test_an_image_arrives(client: openai.OpenAI, mock: MockUpstream) -> None:
    content = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": IMAGE}}]
    ask(client, MODEL, [{"role": "user", "content": content}], stream=False)
    [message] = one_request(mock)["messages"]
    assert message["content"][0]["text"] == "what?"
    assert message["content"][1]["source"] == {
        "type": "base64",
        "media_type": "image/png",
        "data": "iVBORw0KGgo=",
    }


@pytest.mark.parametrize(
    ("keep", "stream"), [(kept, False), (trimmed, True)], ids=["client_keeps_all", "client_drops_all"]
)
def test_a_tool_loop_gives_the_signed_thoughts_back(
    client: openai.OpenAI, mock: MockUpstream, stream: bool, keep: Callable[[Any], dict[str, Any]]
) -> None:
    made = [use(f"toolu_{keep.__name__}_{n}_{stream}", "get_weather", {"city": city}) for n, city in CITIES]
    thought = thinking("They want two cities.", SIGNATURE)
    answers(
        mock,
        reply(thought, text("I look."), *made, streamed=True, stop="tool_use"),
        reply(text("Sun in Rome, snow in Oslo."), streamed=True),
    )
    options: dict[str, Any] = {"tools": [WEATHER], "reasoning_effort": "low", "stream": stream}
    first = ask(client, MODEL, USER, **options)
    answer = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert extension(answer, "reasoning_content") == "They want two cities."
    assert [call.arguments["city"] for call in calls(answer)] == ["Rome", "Oslo"]
    asked = one_request(mock, waiting=True)
    assert [tool["name"] for tool in asked["tools"]] == ["get_weather"]
    assert asked["thinking"]["type"] == "adaptive"
    assert asked["output_config"] == {"effort": "low"}
    results = [result(call.id, weather) for call, weather in zip(calls(answer), ("sun", "snow"), strict=True)]
    second = ask(client, MODEL, [*USER, keep(answer), *results], **options)
    assert second.choices[0].message.content == "Sun in Rome, snow in Oslo."
    time.sleep(ASKS_AGAIN_SECONDS)
    _, replay = [request.json() for request in sent(mock)]
    assert without_marks(replay["messages"][1]["content"]) == [thought, text("I look."), *made]
    assert [block["content"] for block in replay["messages"][2]["content"]] == ["sun", "snow"]


CITIES = list(enumerate(["Rome", "Oslo"]))


def without_marks(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in block.items() if key != "cache_control"} for block in blocks]


@both_ways
def test_the_limit_on_tokens_is_kept_and_nothing_more_is_asked(
    client: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    answers(mock, reply(text("cut of"), streamed=True, stop="max_tokens"))
    for _ in range(TIMES):
        answer = ask(client, MODEL, USER, stream=stream, max_tokens=7)
        assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("cut of", "length")
    time.sleep(ASKS_AGAIN_SECONDS)
    assert [request.json()["max_tokens"] for request in sent(mock)] == TIMES * [7]


def test_sampling_parameters_arrive(client: openai.OpenAI, mock: MockUpstream) -> None:
    ask(client, "claude-sonnet-4-5", USER, stream=False, temperature=0.25, stop=["END"])
    body = one_request(mock)
    assert (body["temperature"], body["stop_sequences"]) == (0.25, ["END"])


@pytest.mark.parametrize("last", ["/help", "@/etc/passwd"])
def test_what_the_cli_would_act_on_is_text(client: openai.OpenAI, mock: MockUpstream, last: str) -> None:
    words = ["@/etc/passwd look", "--version", "-p", "!ls -la", "#remember this", "/clear", last]
    turns = [{"role": role, "content": word} for word in words for role in ("user", "assistant")]
    ask(client, MODEL, turns[:-1], stream=False)
    assert [said(message) for message in one_request(mock)["messages"]] == [
        turn["content"] for turn in turns[:-1]
    ]


ERRORS: dict[str, tuple[dict[str, Any], type[openai.APIStatusError], str]] = {
    "400": (refusal(400, "invalid_request_error"), openai.BadRequestError, "invalid_request"),
    "401": (refusal(401, "authentication_error"), openai.InternalServerError, "upstream_auth_failed"),
    "403": (refusal(403, "permission_error"), openai.InternalServerError, "upstream_auth_failed"),
    "404": (refusal(404, "not_found_error"), openai.NotFoundError, "model_not_found"),
    "429": (refusal(429, "rate_limit_error"), openai.RateLimitError, "rate_limit_exceeded"),
    "500": (refusal(500, "api_error"), openai.InternalServerError, "bad_response"),
    "529": (refusal(529, "overloaded_error"), openai.InternalServerError, "overloaded"),
}


@pytest.mark.parametrize("error", ERRORS)
def test_every_failure_is_an_error_of_its_class_asked_once(
    client: openai.OpenAI, claude: ClaudeProxy, mock: MockUpstream, error: str
) -> None:
    answer, kind, code = ERRORS[error]
    answers(mock, answer)
    with pytest.raises(kind) as raised:
        ask(client, MODEL, USER, stream=error in ("401", "529"))
    assert raised.value.code == code
    time.sleep(ASKS_AGAIN_SECONDS)
    assert len(sent(mock)) in ((1, 2) if error == "404" else (1,))  # the CLI asks a 404 twice


@both_ways
def test_an_answer_that_is_cut_off_is_an_error_asked_once(
    client: openai.OpenAI, mock: MockUpstream, stream: bool
) -> None:
    # what came just before the end of a connection is not read by everybody
    chunks = [*half_an_answer(), {"text": "", "delay_ms": 100}]
    answers(mock, {"chunks": chunks, "end": "close", "headers": SSE_HEADERS})
    seen = ""
    with pytest.raises(openai.APIError):
        if not stream:
            ask(client, MODEL, USER, stream=False)
        for chunk in client.chat.completions.create(model=MODEL, messages=USER, stream=True):
            seen += chunk.choices[0].delta.content or ""
    assert seen == ("Ha" if stream else "")
    one_request(mock, waiting=True)


def test_a_client_that_leaves_ends_the_upstream_request_and_the_process(
    client: openai.OpenAI, claude: ClaudeProxy, mock: MockUpstream
) -> None:
    claude.wait_until_warm()
    before = claude.cli_pids()
    answers(mock, {"chunks": half_an_answer(), "end": "stall", "headers": SSE_HEADERS})
    answer = client.chat.completions.create(model=MODEL, messages=USER, stream=True)
    assert next(iter(answer)).choices
    answer.close()
    mock.wait("aborted")
    until(lambda: claude.bridge_health()["pool"]["busy"] == 0)
    until(lambda: any(not is_alive(pid) for pid in before))
    claude.wait_until_warm()
    assert len(sent(mock)) == 1


def test_the_time_that_a_client_allows_is_the_clis(
    client: openai.OpenAI, claude: ClaudeProxy, mock: MockUpstream
) -> None:
    answers(mock, {"chunks": half_an_answer()[:2], "end": "stall", "headers": SSE_HEADERS})
    began = time.monotonic()
    with pytest.raises(openai.APIStatusError) as raised:
        ask(client, MODEL, USER, stream=False, extra_headers={"x-fastproxy-timeout": "1"})
    assert raised.value.status_code == 504
    assert time.monotonic() - began < 3
    mock.wait("aborted")
    until(lambda: claude.bridge_health()["pool"]["busy"] == 0)


def test_the_anthropic_sdk_gets_the_answer_as_it_came(claude: ClaudeProxy, mock: MockUpstream) -> None:
    thought = thinking("hm", SIGNATURE)
    answers(mock, reply(thought, text("Hello."), streamed=True))
    asked: Any = {"model": MODEL, "max_tokens": 50, "messages": USER}
    with anthropic.Anthropic(base_url=claude.url, api_key="any", max_retries=0, timeout=20) as native:
        whole = native.messages.create(**asked)
        with native.messages.stream(**asked) as events:
            streamed = events.get_final_message()
    for message in (whole, streamed):
        assert [block.model_dump(exclude_none=True) for block in message.content] == [thought, text("Hello.")]
        assert message.usage.cache_read_input_tokens == 8
    assert len(sent(mock)) == 2


def test_its_health_tells_of_the_bridge_and_models_lists_the_names(claude: ClaudeProxy) -> None:
    def told() -> dict[str, Any]:
        state: dict[str, Any] = httpx.get(f"{claude.url}/health", trust_env=False).json()
        return dict(state["providers"]["claude"])

    until(lambda: told()["state"] == "on" and "mode" in told())
    assert (told()["mode"], told()["auth"]) == ("body", "key")
    listed = httpx.get(f"{claude.url}/v1/models", trust_env=False).json()["data"]
    assert {"claude-opus", "claude-sonnet", "claude-haiku"} <= {
        model["id"] for model in listed if model["owned_by"] == "claude"
    }
