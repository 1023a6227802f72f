"""One request from start to finish, over a scripted network."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest

from fastproxy.auth import Authenticator
from fastproxy.continuity import Continuity, open_store
from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.exchange import Policy
from fastproxy.http import HttpRequest, Reply
from fastproxy.observability.record import RequestRecord
from fastproxy.pipeline import Pipeline
from fastproxy.providers.deepseek import DEEPSEEK
from fastproxy.providers.ollama import OLLAMA
from fastproxy.providers.openai import OPENAI
from fastproxy.resilience.attempts import Attempts
from fastproxy.routing import ProviderEntry, Router
from fastproxy.types import Caller, Care, Deployment, Route, Timeouts
from fastproxy.wire.events import Usage
from fastproxy.wire.surface import CHAT
from tests.fakes import FakeResponse, FakeSink, FakeUpstream, NoCredentials
from tests.fastclock import fast, now

TIMEOUTS = Timeouts(first_token=60, idle=20, total=1800)
BUSY = UpstreamError(ErrorKind.OVERLOADED, "box is too busy.")
DONE = b"data: [DONE]\n\n"


def entry(name: str, kind: str, *, strips: bool = True) -> ProviderEntry:
    place = Deployment(name, kind, "", f"https://{name}.example", timeouts=TIMEOUTS)
    return ProviderEntry(name, (f"{name}-",), strips, place)


def completion(text: str = "Hello", **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return orjson.dumps(
        {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }
        | more
    )


def chunk(delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "box-m", "choices": [choice]}
    return b"data: " + orjson.dumps(head | more) + b"\n\n"


ROLE, HEL, LO = chunk({"role": "assistant"}), chunk({"content": "Hel"}), chunk({"content": "lo"})
STOP = chunk({}, "stop")
USAGE = chunk({}, choices=[], usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
OLLAMA_ANSWER = (
    b'{"model":"m","message":{"role":"assistant","content":"Hello"},"done":true,"done_reason":"stop",'
    b'"prompt_eval_count":3,"eval_count":2}\n'
)


@dataclass
class Key:
    name: str
    digest: str
    models: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class Proxy:
    """The pipeline over a fake network, and what it told about its requests."""

    def __init__(
        self,
        *answers: FakeResponse | UpstreamError | float | asyncio.Event,
        policy: Policy = Policy(),  # noqa: B008 - frozen
        keys: tuple[Key, ...] = (),
    ) -> None:
        self.upstream = FakeUpstream(*answers)
        self.records: list[RequestRecord] = []
        self.sink = FakeSink()
        router = Router(
            [entry("box", "openai"), entry("ollama", "ollama"), entry("deepseek", "deepseek", strips=False)],
            aliases={"mine": "box-m"},
            default_model="mine",
        )
        providers = {"openai": OPENAI, "ollama": OLLAMA, "deepseek": DEEPSEEK}
        self.pipeline = Pipeline(
            Authenticator(keys),
            router,
            Continuity(open_store("memory://", 3600)),
            Attempts(providers, self.upstream, NoCredentials()),
            self.records.append,
            policy,
        )

    async def ask(
        self, model: str = "box-m", *, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> Reply:
        """A unary answer, or a streamed one as the client would have seen it."""
        body = {"model": model, "messages": [{"role": "user", "content": "my secret prompt"}]} | fields
        given = {"host": "localhost"} | dict(headers or {})
        http = HttpRequest(
            "POST", "/v1/chat/completions", given, orjson.dumps(body), address="127.0.0.1", id="req_1"
        )
        reply = await self.pipeline.answer(http, CHAT)
        if isinstance(reply, Reply):
            return reply
        await reply.run(self.sink)
        return Reply(self.sink.body)

    async def stream(self, model: str = "box-m", **fields: Any) -> bytes:
        return (await self.ask(model, stream=True, **fields)).body

    async def refusal(self, model: str = "box-m", **fields: Any) -> ProxyError:
        with pytest.raises(ProxyError) as caught:
            await self.ask(model, **fields)
        assert self.sink.writes == []
        assert not self.sink.started
        self.is_idle()
        return caught.value

    def is_idle(self) -> RequestRecord:
        """All requests have left, each was told once, and no response is left open."""
        assert self.pipeline.in_flight == 0
        assert not self.pipeline._streams
        used = self.upstream.responses[: len(self.upstream.sent)]
        assert all(response.closed for response in used)
        (record,) = self.records
        assert record.ended >= record.started
        return record


async def test_a_unary_answer_of_the_same_format_passes_through() -> None:
    proxy = Proxy(FakeResponse(completion()))
    reply = await proxy.ask()
    assert orjson.loads(reply.body)["choices"][0]["message"]["content"] == "Hello"
    record = proxy.is_idle()
    assert (record.status, record.finish, record.usage) == (200, "stop", Usage(3, 2, 5))
    assert (record.provider, record.model, record.asked_model) == ("box", "m", "box-m")
    assert record.bytes_out == len(reply.body)
    assert record.bytes_in > 0


async def test_a_unary_answer_of_another_format_is_translated() -> None:
    proxy = Proxy(FakeResponse(OLLAMA_ANSWER))
    answer = orjson.loads((await proxy.ask("ollama-m")).body)
    assert (answer["object"], answer["model"]) == ("chat.completion", "ollama-m")
    assert answer["id"].startswith("chatcmpl-")
    assert answer["choices"][0]["message"]["content"] == "Hello"
    record = proxy.is_idle()
    assert (record.finish, record.usage) == ("stop", Usage(3, 2, 5))


async def test_the_headers_say_who_answered_and_where_the_time_went() -> None:
    proxy = Proxy(FakeResponse(completion()))
    headers = dict((await proxy.ask()).headers)
    assert headers["x-fastproxy-provider"] == "box"
    assert headers["x-fastproxy-model"] == "m"
    assert headers["x-fastproxy-attempts"] == "1"
    assert "upstream;dur=" in headers["server-timing"]
    assert "x-fastproxy-warning" not in headers


async def test_the_trace_and_the_requests_id_travel_on_and_no_other_header() -> None:
    proxy = Proxy(FakeResponse(completion()))
    await proxy.ask(headers={"traceparent": "00-1-2-01", "cookie": "secret", "authorization": "Bearer mine"})
    assert proxy.upstream.sent[0].headers == (("traceparent", "00-1-2-01"), ("x-request-id", "req_1"))


async def test_an_alias_and_the_default_model_lead_to_their_model() -> None:
    for asked in ("mine", ""):
        proxy = Proxy(FakeResponse(completion()))
        answer = orjson.loads((await proxy.ask(asked)).body)
        assert answer["model"] == "mine"
        assert orjson.loads(proxy.upstream.sent[0].request.body)["model"] == "m"


KEYS = (Key("ci", "5" * 64, ("box-*",)), Key("all", "6" * 64))


async def test_a_caller_without_a_key_is_refused_before_its_body_is_read() -> None:
    error = await Proxy(keys=KEYS).refusal(stream="nonsense")
    assert error.status == 401


@pytest.mark.parametrize(("model", "status"), [("box-m", 200), ("mine", 200), ("ollama-m", 403)])
async def test_a_key_may_use_the_models_of_its_patterns(model: str, status: int) -> None:
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"  # of "secret"
    proxy = Proxy(FakeResponse(completion()), keys=(Key("ci", digest, ("box-*",)),))
    headers = {"authorization": "Bearer secret"}
    if status == 200:
        await proxy.ask(model, headers=headers)
    else:
        error = await proxy.refusal(model, headers=headers)
        assert (error.status, error.param) == (403, "model")
        assert "'ci' may not use the model 'ollama-m'; it may use box-*" in error.message
        assert proxy.upstream.sent == []
    assert proxy.is_idle().caller == "ci"


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"messages": "x"}, 400), ({"model": "nobody"}, 404), ({"temperature": "hot"}, 400)],
)
async def test_a_wrong_request_goes_nowhere(fields: dict[str, Any], status: int) -> None:
    proxy = Proxy()
    error = await proxy.refusal(**fields)
    assert error.status == status
    assert proxy.records[0].status == status
    assert proxy.records[0].error_code == error.code


async def test_an_upstream_refusal_is_told_and_recorded() -> None:
    proxy = Proxy(FakeResponse(b'{"error":{"message":"too many"}}', status=429, headers={"retry-after": "7"}))
    error = await proxy.refusal()
    assert (error.status, error.retry_after) == (429, 7)
    record = proxy.records[0]
    assert (record.status, record.error_code, record.upstream_status) == (429, "rate_limit_exceeded", 429)


async def test_a_bug_of_ours_is_recorded_as_internal(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy(FakeResponse(completion()))
    monkeypatch.delattr(proxy.upstream, "sent")
    with pytest.raises(AttributeError):
        await proxy.ask()
    proxy.upstream.sent = []
    record = proxy.is_idle()
    assert (record.status, record.error_code) == (500, "internal")


@pytest.mark.parametrize(
    ("policy", "warned"), [("warn", "not sent to the provider: logit_bias"), ("drop", None)]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_provider_cannot_do_is_left_out(policy: str, warned: str | None, stream: bool) -> None:
    proxy = Proxy(FakeResponse(OLLAMA_ANSWER), policy=Policy(on_unsupported=policy))
    reply = await proxy.ask("ollama-m", logit_bias={"1": 2}, stream=stream)
    headers = proxy.sink.headers if stream else dict(reply.headers)
    assert headers.get("x-fastproxy-warning") == warned
    assert proxy.is_idle().dropped == ("logit_bias",)


@pytest.mark.parametrize("stream", [False, True])
async def test_or_refused_where_the_settings_say_so(stream: bool) -> None:
    proxy = Proxy(policy=Policy(on_unsupported="reject"))
    error = await proxy.refusal("ollama-m", logit_bias={"1": 2}, stream=stream)
    assert (error.kind, error.param) == (ErrorKind.UNSUPPORTED_PARAMETER, "logit_bias")
    assert proxy.upstream.sent == []


@pytest.mark.parametrize("include_usage", [False, True])
async def test_a_stream_of_the_same_format_passes_through(include_usage: bool) -> None:
    proxy = Proxy(FakeResponse(ROLE, HEL, LO, STOP, USAGE, DONE))
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    body = await proxy.stream(**options)
    assert b"Hel" in body
    assert body.endswith(DONE)
    assert (b'"usage":{' in body) is include_usage
    record = proxy.is_idle()
    assert (record.status, record.finish, record.usage, record.stream) == (200, "stop", Usage(3, 2, 5), True)
    assert record.bytes_out == len(body)
    assert record.answered is not None
    assert proxy.sink.headers["x-accel-buffering"] == "no"
    assert proxy.sink.headers["x-fastproxy-provider"] == "box"


async def test_a_stream_of_another_format_is_translated() -> None:
    proxy = Proxy(FakeResponse(OLLAMA_ANSWER))
    body = await proxy.stream("ollama-m")
    assert b'"model":"ollama-m"' in body
    assert b'"content":"Hello"' in body
    assert body.endswith(DONE)
    assert proxy.is_idle().usage == Usage(3, 2, 5)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (FakeResponse(b"{}", status=503), 503),
        (FakeResponse(b'{"error":{"message":"bad"}}', status=400), 400),
        (FakeResponse(ROLE, BUSY), 503),
        (BUSY, 503),
        (FakeResponse(b'data: {"error":{"message":"busy","code":503}}\n\n'), 503),
        (FakeResponse(), 502),
    ],
)
async def test_a_fault_before_the_first_content_is_an_ordinary_error(
    answer: FakeResponse | UpstreamError, status: int
) -> None:
    proxy = Proxy(answer)
    assert (await proxy.refusal(stream=True)).status == status
    assert proxy.records[0].status == status


async def test_a_fault_after_it_ends_the_stream_with_an_error_and_no_done() -> None:
    proxy = Proxy(FakeResponse(ROLE, HEL, BUSY))
    body = await proxy.stream()
    assert body.startswith(ROLE + HEL)
    assert b'"code":"overloaded"' in body
    assert b"[DONE]" not in body
    record = proxy.is_idle()
    assert (record.status, record.error_code, record.bytes_out) == (200, "overloaded", len(body))


@fast
async def test_a_late_answer_begins_with_heartbeats() -> None:
    proxy = Proxy(25.0, FakeResponse(ROLE, 10.0, HEL, STOP, DONE))
    body = await proxy.stream()
    assert (
        body
        == b": ping\n" * 3
        + b": x-fastproxy-provider: box; x-fastproxy-model: m; x-fastproxy-attempts: 1\n"
        + ROLE
        + HEL
        + STOP
        + DONE
    )
    assert now() == 35
    assert proxy.is_idle().status == 200


@fast
async def test_an_answer_in_time_has_no_heartbeat() -> None:
    proxy = Proxy(FakeResponse(ROLE, 9.0, HEL, STOP, DONE))
    assert b": ping" not in await proxy.stream()
    await asyncio.sleep(100)
    assert b": ping" not in proxy.sink.body


@fast
async def test_no_heartbeat_is_sent_into_a_running_answer() -> None:
    proxy = Proxy(FakeResponse(ROLE, 15.0, HEL, 15.0, LO, STOP, DONE))
    assert (await proxy.stream()).count(b": ping") == 1


@fast
async def test_an_error_after_a_heartbeat_is_told_in_the_stream() -> None:
    proxy = Proxy(FakeResponse(ROLE, 15.0, BUSY))
    body = await proxy.stream()
    assert body.startswith(b": ping\ndata: {")
    assert orjson.loads(body.partition(b"data: ")[2])["error"]["code"] == "overloaded"
    assert body.endswith(b"\n\n")
    assert b"[DONE]" not in body
    assert proxy.is_idle().error_code == "overloaded"


@fast
async def test_a_provider_that_never_begins_is_given_up_while_heartbeats_go_out() -> None:
    proxy = Proxy(FakeResponse(ROLE, 1000.0))
    body = await proxy.stream()
    assert now() == 60
    assert body.count(b": ping\n") >= 5
    assert b"first_token_timeout" in body
    proxy.is_idle()


@pytest.mark.parametrize(
    "script", [(1000.0,), (ROLE, 1000.0), (ROLE, HEL, 1000.0)], ids=["headers", "waiting", "answering"]
)
@pytest.mark.parametrize("after", [1.0, 15.0])
@pytest.mark.parametrize("stream", [True, False])
@fast
async def test_a_client_that_leaves_closes_the_response(
    script: tuple[bytes | float, ...], after: float, stream: bool
) -> None:
    proxy = Proxy(FakeResponse(*script))
    task = asyncio.create_task(proxy.ask(stream=stream))
    await asyncio.sleep(after)
    assert proxy.pipeline.in_flight == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    record = proxy.is_idle()
    assert record.client_gone
    assert record.status == (200 if stream and HEL in script else 499)


@fast
async def test_a_client_that_leaves_before_the_headers_are_in_is_counted_out() -> None:
    proxy = Proxy(1000.0)
    task = asyncio.create_task(proxy.ask(stream=True))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert proxy.is_idle().status == 499


@fast
async def test_a_client_that_leaves_while_a_heartbeat_is_stuck_is_counted_out() -> None:
    proxy = Proxy(1000.0)
    proxy.sink.room.clear()
    task = asyncio.create_task(proxy.ask(stream=True))
    await asyncio.sleep(12)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    proxy.is_idle()


THOUGHTS = (
    chunk({"role": "assistant", "reasoning_content": "I shall call f."}),
    chunk(
        {
            "tool_calls": [
                {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ]
        }
    ),
    chunk({}, "tool_calls"),
    DONE,
)
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
LATER = [
    {"role": "user", "content": "x"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "y"},
]


async def test_what_a_client_throws_away_is_there_for_the_next_request() -> None:
    proxy = Proxy(FakeResponse(*THOUGHTS), FakeResponse(completion()))
    assert b"call_1" in await proxy.stream("deepseek-v4-pro", tools=TOOLS)
    await proxy.ask("deepseek-v4-pro", tools=TOOLS, messages=LATER)
    assert b"I shall call f." in proxy.upstream.sent[1].request.body


async def test_it_is_there_after_a_unary_answer_as_well() -> None:
    call = LATER[1]["tool_calls"]
    message = {
        "role": "assistant",
        "content": None,
        "reasoning_content": "I shall call f.",
        "tool_calls": call,
    }
    first = completion(choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}])
    proxy = Proxy(FakeResponse(first), FakeResponse(completion()))
    await proxy.ask("deepseek-v4-pro", tools=TOOLS)
    await proxy.ask("deepseek-v4-pro", tools=TOOLS, messages=LATER)
    assert b"I shall call f." in proxy.upstream.sent[1].request.body


async def test_more_requests_than_allowed_are_refused_at_once() -> None:
    gate = asyncio.Event()
    proxy = Proxy(gate, FakeResponse(completion()), policy=Policy(max_in_flight=1))
    first = asyncio.create_task(proxy.ask())
    await asyncio.sleep(0)
    with pytest.raises(ProxyError) as caught:
        await proxy.ask()
    assert (caught.value.kind, caught.value.retry_after) == (ErrorKind.QUEUE_FULL, 1)
    gate.set()
    assert (await first).status == 200
    assert proxy.pipeline.in_flight == 0
    assert [record.status for record in proxy.records] == [503, 200]


async def test_while_draining_nothing_new_is_taken() -> None:
    proxy = Proxy()
    await proxy.pipeline.drain(0, 0)
    assert (await proxy.refusal()).kind is ErrorKind.DRAINING


@pytest.mark.parametrize("begun", [True, False], ids=["answering", "waiting"])
async def test_draining_waits_and_then_ends_late_streams_with_an_error(begun: bool) -> None:
    forever = asyncio.Event()
    proxy = Proxy(FakeResponse(ROLE, HEL, forever) if begun else FakeResponse(ROLE, forever))
    task = asyncio.create_task(proxy.ask(stream=True))
    if begun:
        await proxy.sink.wrote(HEL)
    else:
        await asyncio.sleep(0)
    await proxy.pipeline.drain(0.03, 5)
    if begun:
        body = (await task).body
        assert b'"code":"draining"' in body
        assert b"[DONE]" not in body
    else:
        with pytest.raises(ProxyError) as caught:
            await task
        assert caught.value.kind is ErrorKind.DRAINING
    record = proxy.is_idle()
    assert (record.error_code, record.client_gone) == ("draining", False)


async def test_draining_lets_an_answer_finish() -> None:
    gate = asyncio.Event()
    proxy = Proxy(FakeResponse(ROLE, HEL, gate, STOP, DONE))
    task = asyncio.create_task(proxy.ask(stream=True))
    await proxy.sink.wrote(HEL)
    drain = asyncio.create_task(proxy.pipeline.drain(30, 1))
    await asyncio.sleep(0)
    gate.set()
    await drain
    assert (await task).body.endswith(DONE)
    assert proxy.is_idle().error_code == ""


async def test_a_record_holds_no_prompt_and_no_answer() -> None:
    proxy = Proxy(FakeResponse(completion("my secret answer")))
    await proxy.ask()
    assert "secret" not in repr(proxy.is_idle())


@pytest.mark.parametrize("stream", [True, False])
async def test_the_client_may_shorten_the_total_time(stream: bool) -> None:
    proxy = Proxy(FakeResponse(1000.0))
    error = await proxy.refusal(stream=stream, headers={"x-fastproxy-timeout": "0.05"})
    assert (error.status, error.code) == (504, "total_timeout")
    assert "x-fastproxy-timeout" in error.message


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", ""])
async def test_a_time_that_is_none_is_refused(text: str) -> None:
    error = await Proxy().refusal(headers={"x-fastproxy-timeout": text})
    assert (error.status, error.param) == (400, "x-fastproxy-timeout")


@fast
async def test_in_the_middle_of_a_stream_the_time_is_over_as_well() -> None:
    proxy = Proxy(FakeResponse(ROLE, HEL, 1000.0))
    body = (await proxy.ask(stream=True, headers={"x-fastproxy-timeout": "3"})).body
    assert body.startswith(ROLE + HEL)
    assert b"x-fastproxy-timeout" in body
    assert b"[DONE]" not in body
    assert proxy.is_idle().error_code == "total_timeout"


@fast
async def test_more_requests_than_allowed_wait_for_a_place_for_a_while() -> None:
    policy = Policy(max_in_flight=1, queue_seconds=5)
    proxy = Proxy(FakeResponse(3.0, completion()), FakeResponse(9.0, completion()), policy=policy)
    first, second = (asyncio.create_task(proxy.ask()) for _ in range(2))
    await asyncio.sleep(1)
    assert (proxy.pipeline.in_flight, proxy.pipeline.gate.busy, proxy.pipeline.gate.waiting) == (2, 1, 1)
    assert (await first).status == 200
    third = asyncio.create_task(proxy.ask())
    with pytest.raises(ProxyError) as caught:
        await third
    assert (caught.value.code, caught.value.retry_after, now()) == ("queue_full", 1, 8)
    assert (await second).status == 200
    assert (proxy.pipeline.in_flight, proxy.pipeline.gate.busy, now()) == (0, 0, 12)


@fast
async def test_a_client_that_leaves_the_queue_takes_no_place() -> None:
    proxy = Proxy(FakeResponse(3.0, completion()), policy=Policy(max_in_flight=1, queue_seconds=5))
    first, second = (asyncio.create_task(proxy.ask()) for _ in range(2))
    await asyncio.sleep(1)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert (await first).status == 200
    assert proxy.pipeline.gate.busy == 0
    assert [record.status for record in proxy.records] == [499, 200]


async def test_who_has_no_key_takes_no_place() -> None:
    proxy = Proxy(keys=KEYS, policy=Policy(max_in_flight=1))
    proxy.pipeline.gate.try_enter()
    assert (await proxy.refusal()).status == 401


async def test_draining_ends_late_unary_answers_with_an_error() -> None:
    forever = asyncio.Event()
    proxy = Proxy(FakeResponse(forever))
    task = asyncio.create_task(proxy.ask())
    await asyncio.sleep(0)
    await proxy.pipeline.drain(0.03, 5)
    with pytest.raises(ProxyError) as caught:
        await task
    assert (caught.value.kind, task.cancelling()) == (ErrorKind.DRAINING, 0)
    record = proxy.is_idle()
    assert (record.status, record.error_code, record.client_gone) == (503, "draining", False)


@dataclass
class Taken:
    headers: tuple[tuple[str, str], ...]
    settled: list[tuple[Usage | None, bool]]

    def settle(self, usage: Usage | None, *, answered: bool) -> None:
        self.settled.append((usage, answered))


class Limits:
    """Notes what was reserved and settled; refuses where it is told to."""

    def __init__(self, refusal: ProxyError | None = None) -> None:
        self.taken = Taken((("x-ratelimit-limit-requests", "7"),), [])
        self.asked: list[tuple[str, str, int | None]] = []
        self._refusal = refusal

    async def reserve(
        self, caller: Caller, http: HttpRequest, _route: Route, max_output_tokens: int | None
    ) -> Taken:
        self.asked.append((caller.name, http.address, max_output_tokens))
        if self._refusal is not None:
            raise self._refusal
        return self.taken


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_reserves_and_settles_and_is_told_its_limits(stream: bool) -> None:
    limits = Limits()
    proxy = Proxy(FakeResponse(ROLE, HEL, STOP, USAGE, DONE) if stream else FakeResponse(completion()))
    proxy.pipeline._limits = limits
    reply = await proxy.ask(stream=stream, max_tokens=9)
    headers = proxy.sink.headers if stream else dict(reply.headers)
    assert headers["x-ratelimit-limit-requests"] == "7"
    assert limits.asked == [("local", "127.0.0.1", 9)]
    assert limits.taken.settled == [(Usage(3, 2, 5), True)]


async def test_a_request_that_fails_gives_its_tokens_back() -> None:
    limits = Limits()
    proxy = Proxy(FakeResponse(b"{}", status=503))
    proxy.pipeline._limits = limits
    await proxy.refusal()
    assert limits.taken.settled == [(None, False)]


async def test_to_count_tokens_costs_none() -> None:
    limits = Limits()
    proxy = Proxy()
    proxy.pipeline._limits = limits
    body = {"model": "box-m", "max_tokens": 9, "messages": [{"role": "user", "content": "a long question"}]}
    given = {"host": "localhost"}
    await proxy.pipeline.count_tokens(
        HttpRequest("POST", "/v1/messages/count_tokens", given, orjson.dumps(body), address="127.0.0.1")
    )
    assert limits.asked == [("local", "127.0.0.1", None)]
    assert limits.taken.settled == [(None, False)]


async def test_over_the_limit_nobody_is_asked() -> None:
    proxy = Proxy()
    proxy.pipeline._limits = Limits(ProxyError(ErrorKind.RATE_LIMITED, "slower", retry_after=9))
    error = await proxy.refusal()
    assert (error.status, error.retry_after, proxy.upstream.sent) == (429, 9, [])


async def test_a_key_falls_back_only_to_models_it_may_use() -> None:
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"  # of "secret"
    keys, headers = (Key("ci", digest, ("box-*",)),), {"authorization": "Bearer secret"}
    busy = UpstreamError(ErrorKind.OVERLOADED, "box is too busy.")
    proxy = Proxy(busy, keys=keys)
    proxy.pipeline._router._chain = ("ollama-m",)
    assert (await proxy.refusal(headers=headers)).status == 503
    proxy = Proxy(busy, FakeResponse(completion()), keys=keys)
    proxy.pipeline._router._chain = ("ollama-m", "box-n")
    await proxy.ask(headers=headers)
    assert [sent.deployment.model for sent in proxy.upstream.sent] == ["m", "n"]


FRAGILE = Care(failure_threshold=2, recovery_seconds=30)


@fast
async def test_streams_that_break_open_the_circuit_and_clients_that_leave_do_not_move_it() -> None:
    broken = [FakeResponse(ROLE, HEL, BUSY) for _ in range(2)]
    proxy = Proxy(broken[0], FakeResponse(ROLE, HEL, 1000.0), broken[1])
    box = proxy.pipeline._router.entries["box"]
    proxy.pipeline._router.entries["box"] = replace(box, template=replace(box.template, care=FRAGILE))
    breakers = proxy.pipeline._attempts.turns.breakers
    await proxy.stream()
    leaving = asyncio.create_task(proxy_stream(proxy))
    await asyncio.sleep(1)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert breakers.states() == {}
    proxy.sink = FakeSink()
    await proxy.stream()
    assert breakers.states() == {"box": {"m": "open"}}


async def proxy_stream(proxy: Proxy) -> bytes:
    proxy.sink = FakeSink()
    return await proxy.stream()


async def test_an_effort_in_the_models_name_is_sent_unless_the_client_says_its_own() -> None:
    proxy = Proxy(*(FakeResponse(completion()) for _ in range(3)))
    await proxy.ask("mine-high")
    await proxy.ask("mine-high", reasoning_effort="low")
    await proxy.ask("mine-high", thinking={"type": "disabled"})
    sent = [orjson.loads(sent.request.body) for sent in proxy.upstream.sent]
    assert [body["model"] for body in sent] == ["m", "m", "m"]
    assert [body.get("reasoning_effort") for body in sent] == ["high", "low", None]


@pytest.mark.parametrize(
    ("pattern", "model"),
    [
        ("custom-*", "custom-box-m"),
        ("openai/*", "openai/box-m"),
        ("*-high", "mine-high"),
        ("*]", "mine[effort=low]"),
        ("mb-*", "mb-mine"),
    ],
)
async def test_what_a_client_puts_around_a_name_opens_no_model(pattern: str, model: str) -> None:
    digest = hashlib.sha256(b"sk").hexdigest()
    proxy = Proxy(keys=(Key("ci", digest, (pattern,)),))
    error = await proxy.refusal(model, headers={"authorization": "Bearer sk"})
    assert error.kind is ErrorKind.MODEL_NOT_ALLOWED


@pytest.mark.parametrize("pattern", ["ol-*", "ollama-m"])
async def test_a_key_may_use_a_neutral_name_by_either_of_its_names(pattern: str) -> None:
    digest = hashlib.sha256(b"sk").hexdigest()
    proxy = Proxy(FakeResponse(OLLAMA_ANSWER), keys=(Key("ci", digest, (pattern,)),))
    answer = await proxy.ask("ol-m", headers={"authorization": "Bearer sk"})
    assert orjson.loads(answer.body)["model"] == "ol-m"
