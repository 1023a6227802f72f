"""Deployment after deployment, and one repair each: the only loop that tries again."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fastproxy.errors import ErrorKind, ProxyError, Repair, UpstreamError
from fastproxy.observability.record import RequestRecord
from fastproxy.providers.contract import Provider
from fastproxy.providers.openai import OPENAI
from fastproxy.resilience.attempts import Attempts, Check, Unable
from fastproxy.resilience.backoff import Backoff
from fastproxy.resilience.turns import Turn, Turns
from fastproxy.types import Care, ChatRequest, Deployment, Route, Timeouts, UpstreamRequest
from fastproxy.upstream.contract import UpstreamResponse
from tests.fakes import FakeResponse, FakeUpstream, NoCredentials
from tests.fastclock import fast, now

CHAT = ChatRequest("m", ({"role": "user", "content": "hi"},))
STREAM = replace(CHAT, stream=True)
ONE = Deployment("one", "openai", "m1", "https://one.example", timeouts=Timeouts(total=100, first_token=10))
TWO = replace(ONE, provider="two", model="m2", base_url="https://two.example")
BUSY = UpstreamError(ErrorKind.OVERLOADED, "too busy")
WRONG = UpstreamError(ErrorKind.INVALID_REQUEST, "wrong")


def heal(status: int, _headers: object, body: bytes) -> UpstreamError:
    return UpstreamError(
        ErrorKind.INVALID_REQUEST, "no", upstream_status=status, repair=Repair(body.decode())
    )


def build(request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
    return replace(OPENAI.build_request(request, deployment), body=",".join(request.repairs).encode())


HEALING = replace(OPENAI, build_request=build, parse_error=heal)


async def read(
    _provider: Provider,
    deployment: Deployment,
    request: ChatRequest,
    response: UpstreamResponse,
    _turn: Turn,
) -> tuple[str, ChatRequest, bytes]:
    return deployment.provider, request, await response.read_all(1000)


class Try:
    """One run over a route, and all that can be seen of it."""

    def __init__(
        self,
        *answers: FakeResponse | UpstreamError | float,
        provider: Provider = OPENAI,
        check: Check = lambda _request: None,
        backoff: Backoff | None = None,
        unable: Unable = lambda _deployment, _request: "",
    ) -> None:
        self.upstream = FakeUpstream(*answers)
        self.record = RequestRecord("id", "POST", "/")
        self._check = check
        self.turns = Turns()
        self._attempts = Attempts(
            {"openai": provider},
            self.upstream,
            NoCredentials(),
            turns=self.turns,
            backoff=backoff,
            unable=unable,
        )

    async def run(
        self, *deployments: Deployment, request: ChatRequest = CHAT
    ) -> tuple[str, ChatRequest, bytes]:
        return await self._attempts.first_success(
            Route("m", "m", deployments or (ONE, TWO)),
            request,
            self.record,
            read,
            self._check,
            (("x-request-id", "id"),),
        )

    async def fails(self, *deployments: Deployment, request: ChatRequest = CHAT) -> ProxyError:
        with pytest.raises(ProxyError) as caught:
            await self.run(*deployments, request=request)
        return caught.value

    @property
    def asked(self) -> list[str]:
        return [sent.deployment.provider for sent in self.upstream.sent]


async def test_the_first_deployment_answers_and_no_other_is_asked() -> None:
    once = Try(FakeResponse(b"hello"))
    assert await once.run() == ("one", CHAT, b"hello")
    assert once.asked == ["one"]
    assert (once.record.attempts, once.record.provider, once.record.model) == (1, "one", "m1")


@pytest.mark.parametrize("failure", [BUSY, FakeResponse(b"busy", status=503), FakeResponse(b"", status=500)])
async def test_a_fault_that_may_pass_leads_to_the_next(failure: FakeResponse | UpstreamError) -> None:
    twice = Try(failure, FakeResponse(b"hello"))
    assert (await twice.run())[0] == "two"
    assert (twice.record.attempts, twice.record.provider) == (2, "two")


@pytest.mark.parametrize("failure", [WRONG, FakeResponse(b'{"error":{"message":"bad"}}', status=400)])
async def test_a_fault_of_the_request_does_not(failure: FakeResponse | UpstreamError) -> None:
    once = Try(failure)
    assert (await once.fails()).kind is ErrorKind.INVALID_REQUEST
    assert once.asked == ["one"]


async def test_when_all_fail_the_last_one_tells() -> None:
    error = await Try(BUSY, UpstreamError(ErrorKind.CONNECTION_FAILED, "refused")).fails()
    assert error.message == "refused"


async def test_an_answer_that_breaks_while_it_is_opened_leads_to_the_next() -> None:
    broken, good = FakeResponse(b"he", BUSY), FakeResponse(b"hello")
    assert await Try(broken, good).run() == ("two", CHAT, b"hello")
    assert (broken.closed, good.closed) == (1, 0)


@pytest.mark.parametrize("status", [302, 400, 500])
async def test_a_refusal_is_closed(status: int) -> None:
    refused = FakeResponse(b"no", status=status)
    await Try(refused).fails(ONE)
    assert refused.closed == 1


async def test_the_status_of_a_refusal_whose_body_breaks_says_enough() -> None:
    refused = FakeResponse(b"{", BUSY, status=429, headers={"Retry-After": "7"})
    error = await Try(refused).fails(ONE)
    assert (error.kind, error.retry_after, refused.closed) == (ErrorKind.RATE_LIMITED, 7, 1)


async def test_a_repair_is_applied_at_the_same_deployment() -> None:
    healed = Try(FakeResponse(b"think_less", status=400), FakeResponse(b"hello"), provider=HEALING)
    provider, request, body = await healed.run()
    assert (provider, request.repairs, body) == ("one", ("think_less",), b"hello")
    assert (healed.asked, healed.record.attempts) == (["one", "one"], 2)


@pytest.mark.parametrize("second", [b"think_less", b"another"])
async def test_a_second_repair_is_not(second: bytes) -> None:
    sick = Try(FakeResponse(b"think_less", status=400), FakeResponse(second, status=400), provider=HEALING)
    assert (await sick.fails()).kind is ErrorKind.INVALID_REQUEST
    assert sick.asked == ["one", "one"]


async def test_the_next_deployment_gets_the_request_unrepaired() -> None:
    busy = FakeResponse(b"hm", BUSY)
    tried = Try(FakeResponse(b"think_less", status=400), busy, FakeResponse(b"hello"), provider=HEALING)
    assert await tried.run() == ("two", CHAT, b"hello")
    assert tried.asked == ["one", "one", "two"]


async def test_every_request_is_checked_before_it_is_sent() -> None:
    error = ProxyError(ErrorKind.UNSUPPORTED_PARAMETER, "no")

    def refuse(_request: UpstreamRequest) -> None:
        raise error

    refused = Try(FakeResponse(b"hello"), check=refuse)
    assert await refused.fails() is error
    assert refused.asked == []


async def test_a_credential_is_added_at_sending() -> None:
    once = Try(FakeResponse(b"hello"))
    await once.run(replace(ONE, credential="google"))
    assert once.upstream.sent[0].headers == (("x-request-id", "id"), ("authorization", "Bearer google"))


async def test_no_deployment_sees_the_credential_of_another() -> None:
    twice = Try(BUSY, BUSY, FakeResponse(b"hello"))
    await twice.run(replace(ONE, credential="google"), replace(TWO, credential="azure"), TWO)
    assert [dict(sent.headers).get("authorization") for sent in twice.upstream.sent] == [
        "Bearer google",
        "Bearer azure",
        None,
    ]
    assert [len(sent.headers) for sent in twice.upstream.sent] == [2, 2, 1]


async def test_a_credential_that_cannot_be_had_leads_to_the_next() -> None:
    twice = Try(FakeResponse(b"hello"))
    assert (await twice.run(replace(ONE, credential="broken"), TWO))[0] == "two"


async def test_the_context_window_that_was_asked_for_comes_with_the_request() -> None:
    def build(request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
        return replace(OPENAI.build_request(request, deployment), context_window=4096)

    once = Try(FakeResponse(b"hello"), provider=replace(OPENAI, build_request=build))
    assert (await once.run())[1].context_window == 4096


@fast
async def test_a_provider_that_never_answers_is_left_for_the_next() -> None:
    stuck = FakeResponse(1000.0)
    assert (await Try(stuck, FakeResponse(b"hello")).run(request=STREAM))[0] == "two"
    assert (stuck.closed, now()) == (1, 10)


@fast
async def test_the_wait_for_the_headers_counts_as_well() -> None:
    tried = Try(1000.0, FakeResponse(b"late"))
    error = await tried.fails(ONE, request=STREAM)
    assert (error.kind, now()) == (ErrorKind.FIRST_TOKEN_TIMEOUT, 10)


@fast
async def test_a_unary_request_may_wait_for_the_total_time() -> None:
    late = FakeResponse(99.0, b"hello")
    assert (await Try(late).run(ONE))[2] == b"hello"
    error = await Try(FakeResponse(1000.0)).fails()
    assert error.kind is ErrorKind.TOTAL_TIMEOUT


@fast
async def test_a_client_that_leaves_closes_the_response_and_ends_the_attempts() -> None:
    stuck = FakeResponse(1000.0)
    tried = Try(stuck, FakeResponse(b"hello"))
    task = asyncio.create_task(tried.run())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (stuck.closed, tried.asked) == (1, ["one"])


PATIENT = replace(ONE, care=Care(max_retries=2))
LATE = UpstreamError(ErrorKind.TOTAL_TIMEOUT, "gateway", upstream_status=504)
REFUSED = UpstreamError(ErrorKind.CONNECTION_FAILED, "refused")
SLOWER = UpstreamError(ErrorKind.RATE_LIMITED, "slower", upstream_status=429, retry_after=3)
LATER = UpstreamError(ErrorKind.RATE_LIMITED, "later", upstream_status=429, retry_after=60)
NO_KEY = UpstreamError(ErrorKind.UPSTREAM_AUTH, "no key", upstream_status=401)
POOR = UpstreamError(ErrorKind.INSUFFICIENT_QUOTA, "no money", upstream_status=402)
SILENT = UpstreamError(ErrorKind.FIRST_TOKEN_TIMEOUT, "silent")


@pytest.mark.parametrize("failure", [BUSY, REFUSED, LATE, UpstreamError(ErrorKind.BAD_RESPONSE, "hm")])
@fast
async def test_what_may_pass_is_tried_again_at_the_same_deployment_after_longer_and_longer_pauses(
    failure: UpstreamError,
) -> None:
    tried = Try(failure, failure, FakeResponse(b"hello"), backoff=Backoff(lambda: 1.0))
    assert (await tried.run(PATIENT, TWO))[0] == "one"
    assert (tried.asked, now()) == (["one"] * 3, 0.75)
    assert tried.record.failed_attempts == (("one", failure.code),) * 2


@fast
async def test_and_then_at_the_next_one() -> None:
    tried = Try(*[BUSY] * 3, FakeResponse(b"hello"))
    assert (await tried.run(PATIENT, TWO))[0] == "two"
    assert tried.asked == ["one"] * 3 + ["two"]


@fast
async def test_a_pause_that_the_provider_asks_for_is_kept() -> None:
    tried = Try(SLOWER, FakeResponse(b"hello"), backoff=Backoff(lambda: 0.0))
    assert (await tried.run(PATIENT))[0] == "one"
    assert now() == 3


@pytest.mark.parametrize("failure", [LATER, SILENT, NO_KEY, POOR])
@fast
async def test_what_does_not_pass_soon_leads_to_the_next_at_once(failure: UpstreamError) -> None:
    tried = Try(failure, FakeResponse(b"hello"))
    assert (await tried.run(PATIENT, TWO))[0] == "two"
    assert (tried.asked, now()) == (["one", "two"], 0)


@fast
async def test_no_pause_goes_beyond_the_deadline() -> None:
    tried = Try(FakeResponse(98.0, SLOWER), FakeResponse(b"hello"))
    error = await tried.fails(PATIENT)
    assert (error, now(), tried.asked) == (SLOWER, 98, ["one"])


@fast
async def test_the_deadline_is_the_requests_and_not_the_attempts() -> None:
    stuck = [FakeResponse(60.0, BUSY), FakeResponse(60.0, b"late")]
    error = await Try(*stuck).fails(PATIENT)
    assert (error.kind, now()) == (ErrorKind.TOTAL_TIMEOUT, 100)


@fast
async def test_waiting_for_a_credential_counts_as_well() -> None:
    tried = Try(FakeResponse(b"hello"))
    error = await tried.fails(replace(PATIENT, credential="slow"))
    assert (error.kind, now(), tried.asked) == (ErrorKind.TOTAL_TIMEOUT, 100, [])


@pytest.mark.parametrize("stream", [True, False])
@fast
async def test_a_client_may_shorten_the_time_and_nobody_else_is_asked_then(stream: bool) -> None:
    tried = Try(FakeResponse(1000.0), FakeResponse(b"hello"))
    tried.record.time_limit = 2.0
    error = await tried.fails(PATIENT, TWO, request=replace(CHAT, stream=stream))
    assert error.kind is ErrorKind.TOTAL_TIMEOUT
    assert "x-fastproxy-timeout" in error.message
    assert now() == pytest.approx(2, abs=0.1)
    assert tried.asked == ["one"]


@fast
async def test_a_client_may_not_lengthen_it() -> None:
    tried = Try(FakeResponse(1000.0))
    tried.record.time_limit = 2000.0
    error = await tried.fails(ONE)
    assert (error.kind, now()) == (ErrorKind.TOTAL_TIMEOUT, 100)
    assert "total_timeout" in error.message


def takes_no_tools(deployment: Deployment, request: ChatRequest) -> str:
    return f"{deployment.model} takes no tools" if deployment.provider == "two" else ""


async def test_a_fallback_that_cannot_do_it_is_skipped_and_the_reason_told() -> None:
    three = replace(TWO, provider="three")
    tried = Try(BUSY, FakeResponse(b"hello"), unable=takes_no_tools)
    assert (await tried.run(ONE, TWO, three))[0] == "three"
    assert tried.record.skipped == ("two: m2 takes no tools",)
    failed = Try(UpstreamError(ErrorKind.OVERLOADED, "too busy"), unable=takes_no_tools)
    assert (await failed.fails(ONE, TWO)).message == "too busy Not asked: two: m2 takes no tools"


async def test_a_fallback_to_which_the_request_cannot_be_said_is_skipped() -> None:
    def build(request: ChatRequest, deployment: Deployment) -> UpstreamRequest:
        if deployment.provider == "two":
            raise ProxyError(ErrorKind.INVALID_REQUEST, "no images")
        return OPENAI.build_request(request, deployment)

    picky = replace(OPENAI, build_request=build)
    tried = Try(UpstreamError(ErrorKind.OVERLOADED, "too busy"), provider=picky)
    error = await tried.fails(ONE, TWO)
    assert error.kind is ErrorKind.OVERLOADED
    assert (tried.record.skipped, tried.record.provider) == (("two: no images",), "one")
    asked_for = Try(provider=picky)
    assert (await asked_for.fails(TWO)).message == "no images"


FRAGILE = replace(ONE, care=Care(max_retries=5, failure_threshold=2))


@fast
async def test_an_open_circuit_ends_the_retries_and_leads_to_the_next() -> None:
    tried = Try(BUSY, BUSY, FakeResponse(b"hello"))
    assert (await tried.run(FRAGILE, TWO))[0] == "two"
    assert tried.asked == ["one", "one", "two"]
    assert tried.record.failed_attempts[-1] == ("one", "circuit_open")


@fast
async def test_without_a_next_an_open_circuit_is_told_at_once() -> None:
    tried = Try(BUSY, BUSY)
    assert (await tried.fails(FRAGILE)).kind is ErrorKind.CIRCUIT_OPEN
    began = now()
    error = await tried.fails(FRAGILE)
    assert (error.status, error.code, now()) == (503, "circuit_open", began)
    assert error.retry_after == pytest.approx(30, abs=1)


async def test_a_unary_answer_ends_its_turn_and_a_stream_is_left_to_its_reader() -> None:
    narrow = replace(ONE, care=Care(max_concurrency=1))
    tried = Try(FakeResponse(b"hello"), FakeResponse(b"hello"))
    await tried.run(narrow)
    await tried.run(narrow, request=STREAM)
    assert tried.turns.load()["one"].busy == 1
    error = await tried.fails(narrow)
    assert (error.status, error.code, error.retry_after) == (503, "queue_full", 1)
    assert "providers.one.max_concurrency" in error.message


@fast
async def test_more_requests_than_a_provider_takes_wait_for_their_turn() -> None:
    narrow = replace(ONE, care=Care(max_concurrency=2, queue_seconds=5))
    tried = Try(*(FakeResponse(3.0, b"hello") for _ in range(4)))
    answers = await asyncio.gather(*(tried.run(narrow) for _ in range(4)))
    assert (len(answers), now(), tried.turns.load()["one"].busy) == (4, 6, 0)


@fast
async def test_a_full_provider_leads_to_the_next() -> None:
    narrow = replace(ONE, care=Care(max_concurrency=1))
    tried = Try(FakeResponse(3.0, b"hello"), FakeResponse(b"hello"))
    first = asyncio.create_task(tried.run(narrow))
    await asyncio.sleep(1)
    assert (await tried.run(narrow, TWO))[0] == "two"
    assert (await first)[0] == "one"


@fast
async def test_every_way_out_gives_the_place_back() -> None:
    narrow = replace(ONE, care=Care(max_concurrency=1, failure_threshold=1))
    tried = Try(FakeResponse(1000.0))
    task = asyncio.create_task(tried.run(narrow))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tried.turns.load()["one"].busy == 0
    for failure in (WRONG, BUSY):
        failing = Try(failure)
        await failing.fails(narrow)
        assert failing.turns.load()["one"].busy == 0


async def test_who_reads_a_deadline_is_told_how_long_the_client_still_waits() -> None:
    run = Try(FakeResponse(b"fine"), provider=replace(OPENAI, deadline_header="x-deadline-ms"))
    await run.run(ONE)
    [sent] = run.upstream.sent
    assert 99_000 < int(dict(sent.headers)["x-deadline-ms"]) <= 100_000
    plain = Try(FakeResponse(b"fine"))
    await plain.run(ONE)
    assert "x-deadline-ms" not in dict(plain.upstream.sent[0].headers)
