"""The four timeouts of an attempt, on a clock that jumps."""

from __future__ import annotations

import asyncio

import pytest

from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.resilience.deadline import CANCEL_AGAIN_SECONDS, Watchdog
from fastproxy.types import Deployment, Timeouts
from tests.fastclock import fast, now

PLACE = Deployment(
    "ollama", "ollama", "m", "http://x", timeouts=Timeouts(connect=5, first_token=60, idle=20, total=1800)
)


async def expiry(watchdog: Watchdog, seconds: float = 10_000) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught, watchdog:
        await asyncio.sleep(seconds)
    return caught.value


@fast
async def test_a_provider_that_does_not_begin_is_given_up() -> None:
    error = await expiry(Watchdog(PLACE, stream=True))
    assert (error.kind, now()) == (ErrorKind.FIRST_TOKEN_TIMEOUT, 60)
    assert error.message == (
        "ollama did not begin to answer within 60 s (providers.ollama.first_token_timeout)."
    )
    assert error.retryable


@fast
async def test_a_provider_that_falls_silent_in_its_answer_is_given_up() -> None:
    watchdog = Watchdog(PLACE, stream=True)
    with watchdog:
        await asyncio.sleep(50)
        watchdog.first_content()
    error = await expiry(watchdog)
    assert (error.kind, now()) == (ErrorKind.IDLE_TIMEOUT, 70)
    assert "fell silent for 20 s" in error.message


@fast
async def test_every_byte_feeds_the_idle_timeout() -> None:
    watchdog = Watchdog(PLACE, stream=True)
    watchdog.first_content()
    with watchdog:
        for _ in range(50):
            await asyncio.sleep(19)
            watchdog.since = now()
    assert now() == 50 * 19


@fast
async def test_a_slow_client_does_not_trip_the_idle_timeout() -> None:
    watchdog = Watchdog(PLACE, stream=True)
    watchdog.first_content()
    with watchdog:
        watchdog.since = None
        await asyncio.sleep(500)
        watchdog.since = now()
        await asyncio.sleep(19)
    assert now() == 519


@fast
async def test_after_a_slow_client_the_provider_is_watched_again() -> None:
    watchdog = Watchdog(PLACE, stream=True)
    watchdog.first_content()
    with pytest.raises(UpstreamError) as caught, watchdog:
        watchdog.since = None
        await asyncio.sleep(500)
        watchdog.since = now()
        await asyncio.sleep(1000)
    assert caught.value.kind is ErrorKind.IDLE_TIMEOUT
    assert 520 <= now() <= 521


@fast
async def test_even_a_slow_client_has_no_more_than_the_total_time() -> None:
    watchdog = Watchdog(PLACE, stream=True)
    watchdog.first_content()
    watchdog.since = None
    with pytest.raises(UpstreamError) as caught, watchdog:
        watchdog.since = None
        await asyncio.sleep(10_000)
    assert (caught.value.kind, now()) == (ErrorKind.TOTAL_TIMEOUT, 1800)


@fast
async def test_for_a_unary_request_only_the_total_time_counts() -> None:
    error = await expiry(Watchdog(PLACE, stream=False))
    assert (error.kind, now()) == (ErrorKind.TOTAL_TIMEOUT, 1800)
    assert not error.retryable


@fast
async def test_the_total_time_counts_on_from_one_use_to_the_next() -> None:
    watchdog = Watchdog(PLACE, stream=False)
    with watchdog:
        await asyncio.sleep(1000)
    await asyncio.sleep(700)
    await expiry(watchdog)
    assert now() == 1800


@fast
async def test_nothing_is_left_behind_when_all_went_well() -> None:
    watchdog = Watchdog(PLACE, stream=True)
    with watchdog:
        await asyncio.sleep(1)
    await asyncio.sleep(10_000)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@fast
async def test_after_an_expiry_the_task_goes_on_uncancelled() -> None:
    await expiry(Watchdog(PLACE, stream=True))
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(1)


@fast
async def test_errors_of_the_guarded_code_pass() -> None:
    with pytest.raises(KeyError), Watchdog(PLACE, stream=True):
        raise KeyError("x")


@fast
async def test_a_cancelling_from_outside_stays_one() -> None:
    async def wait() -> None:
        with Watchdog(PLACE, stream=True):
            await asyncio.sleep(10_000)

    task = asyncio.create_task(wait())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@fast
async def test_a_client_that_leaves_at_the_moment_of_expiry_is_gone_and_no_timeout() -> None:
    async def wait() -> None:
        with Watchdog(PLACE, stream=True):
            await asyncio.sleep(10_000)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_at(60, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert now() == 60


@fast
async def test_an_expiry_that_the_guarded_code_turns_into_an_error_is_still_a_timeout() -> None:
    with pytest.raises(UpstreamError) as caught, Watchdog(PLACE, stream=True):
        try:
            await asyncio.sleep(10_000)
        except asyncio.CancelledError:
            raise UpstreamError(ErrorKind.CONNECTION_FAILED, "the connection broke") from None
    assert caught.value.kind is ErrorKind.FIRST_TOKEN_TIMEOUT
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


class Deaf(asyncio.Future[None]):
    """Says yes to a cancellation and drops it, as many times as it is told, like an extension's future."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def cancel(self, msg: object = None) -> bool:
        self.times -= 1
        return True if self.times >= 0 else super().cancel(msg)


@pytest.mark.parametrize("times", [1, 5])
@fast
async def test_a_cancellation_that_is_dropped_is_sent_again(times: int) -> None:
    with pytest.raises(UpstreamError) as caught, Watchdog(PLACE, stream=True):
        await Deaf(times)
    assert caught.value.kind is ErrorKind.FIRST_TOKEN_TIMEOUT
    assert now() == pytest.approx(60 + times * CANCEL_AGAIN_SECONDS)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@fast
async def test_the_total_time_runs_from_the_first_attempt() -> None:
    await asyncio.sleep(500)
    error = await expiry(Watchdog(PLACE, stream=False, began=100))
    assert (error.kind, error.retryable, now()) == (ErrorKind.TOTAL_TIMEOUT, False, 1900)


@fast
async def test_a_client_may_shorten_it_and_that_is_no_fault_of_the_providers() -> None:
    watchdog = Watchdog(PLACE, stream=False, client_seconds=3)
    with pytest.raises(ProxyError) as caught, watchdog:
        await asyncio.sleep(10_000)
    assert (type(caught.value), caught.value.kind, now()) == (ProxyError, ErrorKind.TOTAL_TIMEOUT, 3)
    error = await expiry(Watchdog(PLACE, stream=False, began=now(), client_seconds=9_000))
    assert (error.kind, now()) == (ErrorKind.TOTAL_TIMEOUT, 1803)
