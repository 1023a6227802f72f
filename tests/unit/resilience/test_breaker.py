"""Opens after faults in a row, lets one probe through, closes; and nothing a client does moves it."""

from __future__ import annotations

import asyncio
import warnings

import pytest

from fastproxy.errors import ErrorKind, ProxyError, UpstreamError
from fastproxy.resilience import breaker
from fastproxy.resilience.breaker import Breakers, Outcome, State, outcome_of
from fastproxy.types import Care, Deployment

PLACE = Deployment(
    "box", "openai", "m", "https://box.example", care=Care(failure_threshold=3, recovery_seconds=30)
)
FAULT = UpstreamError(ErrorKind.CONNECTION_FAILED, "refused")
REFUSAL = UpstreamError(ErrorKind.INVALID_REQUEST, "wrong", upstream_status=400)
BUSY = UpstreamError(ErrorKind.RATE_LIMITED, "slower", upstream_status=429)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """Breakers on a clock of our own, and what they told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.told: list[State] = []
        self.breakers = Breakers(lambda _place, state: self.told.append(state), self.clock)

    def attempt(self, error: BaseException | None = None, place: Deployment = PLACE) -> None:
        """One attempt from its begin to its end."""
        probe = self.breakers.begin(place)
        self.breakers.report(place, error, is_probe=probe)

    def is_open(self, place: Deployment = PLACE) -> bool:
        try:
            self.breakers.check(place)
        except UpstreamError as error:
            assert error.kind is ErrorKind.CIRCUIT_OPEN
            return True
        return False

    def opened(self) -> Watched:
        for _ in range(3):
            self.attempt(FAULT)
        assert self.is_open()
        return self


def test_it_opens_after_so_many_faults_in_a_row() -> None:
    watched = Watched()
    for _ in range(2):
        watched.attempt(FAULT)
        assert not watched.is_open()
    watched.attempt(FAULT)
    assert watched.is_open()
    assert watched.told == [State.OPEN]
    assert watched.breakers.states() == {"box": {"m": "open"}}


def test_a_good_answer_in_between_begins_the_count_anew() -> None:
    watched = Watched()
    for error in (FAULT, FAULT, None, FAULT, FAULT, REFUSAL, FAULT, FAULT):
        watched.attempt(error)
    assert not watched.is_open()
    assert watched.told == []


def test_an_open_circuit_says_when_it_may_be_tried_again() -> None:
    watched = Watched().opened()
    watched.clock.now += 12
    with pytest.raises(UpstreamError) as caught:
        watched.breakers.begin(PLACE)
    assert (caught.value.kind, caught.value.retry_after) == (ErrorKind.CIRCUIT_OPEN, 18)
    assert "box failed 3 times in a row" in caught.value.message
    assert "breaker_recovery_seconds" in caught.value.message


def test_then_one_probe_goes_and_nobody_beside_it() -> None:
    watched = Watched().opened()
    watched.clock.now += 30
    assert watched.breakers.states() == {"box": {"m": "half_open"}}
    assert watched.breakers.begin(PLACE) is True
    for _ in range(3):
        with pytest.raises(UpstreamError):
            watched.breakers.begin(PLACE)
    watched.breakers.report(PLACE, None, is_probe=True)
    assert watched.breakers.begin(PLACE) is False
    assert watched.told == [State.OPEN, State.HALF_OPEN, State.CLOSED]
    assert watched.breakers.states() == {}


def test_a_probe_that_fails_opens_it_for_as_long_again() -> None:
    watched = Watched().opened()
    watched.clock.now += 30
    watched.attempt(FAULT)
    assert watched.is_open()
    watched.clock.now += 29
    assert watched.is_open()
    watched.clock.now += 1
    watched.attempt()
    assert not watched.is_open()


@pytest.mark.parametrize("end", [asyncio.CancelledError(), BUSY, ProxyError(ErrorKind.TOTAL_TIMEOUT, "late")])
def test_an_abandoned_probe_neither_locks_nor_closes_it(end: BaseException) -> None:
    watched = Watched().opened()
    watched.clock.now += 30
    watched.attempt(end)
    assert watched.breakers.states() == {"box": {"m": "half_open"}}
    assert watched.breakers.begin(PLACE) is True


@pytest.mark.parametrize("end", [asyncio.CancelledError(), BUSY, ProxyError(ErrorKind.TOTAL_TIMEOUT, "late")])
def test_what_says_nothing_of_the_provider_neither_opens_it_nor_begins_the_count_anew(
    end: BaseException,
) -> None:
    watched = Watched()
    for _ in range(10):
        watched.attempt(end)
    assert not watched.is_open()
    for error in (FAULT, FAULT, end, FAULT):
        watched.attempt(error)
    assert watched.is_open()


def test_late_reports_of_earlier_attempts_do_not_move_an_open_circuit() -> None:
    watched = Watched()
    late = [watched.breakers.begin(PLACE) for _ in range(2)]
    watched.opened()
    watched.clock.now += 10
    watched.breakers.report(PLACE, None, is_probe=late[0])
    watched.breakers.report(PLACE, FAULT, is_probe=late[1])
    assert watched.is_open()
    watched.clock.now += 20
    assert not watched.is_open()


def test_every_deployment_has_its_own() -> None:
    watched = Watched().opened()
    other = Deployment("box", "openai", "other", "https://box.example", care=PLACE.care)
    assert watched.is_open()
    assert not watched.is_open(other)


def test_with_a_threshold_of_0_it_never_opens() -> None:
    watched = Watched()
    place = Deployment("box", "openai", "m", "https://box.example", care=Care(failure_threshold=0))
    for _ in range(50):
        watched.attempt(FAULT, place)
    assert not watched.is_open(place)


def test_names_that_clients_make_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "MAX_CIRCUITS", 10)
    watched = Watched().opened()
    for number in range(100):
        watched.attempt(FAULT, Deployment("box", "openai", str(number), "https://b", care=PLACE.care))
    assert "circuits=10" in repr(watched.breakers)
    assert watched.is_open()


def test_the_librarys_old_fashioned_calls_warn_nobody() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Watched().opened()


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_error_has_an_outcome(kind: ErrorKind) -> None:
    faults = {
        ErrorKind.BAD_RESPONSE,
        ErrorKind.CONNECTION_FAILED,
        ErrorKind.OVERLOADED,
        ErrorKind.CONNECT_TIMEOUT,
        ErrorKind.FIRST_TOKEN_TIMEOUT,
        ErrorKind.IDLE_TIMEOUT,
        ErrorKind.TOTAL_TIMEOUT,
    }
    answered = outcome_of(UpstreamError(kind, "x", upstream_status=400))
    if kind in faults:
        assert answered is Outcome.FAILED
    else:
        assert answered is (Outcome.ABANDONED if kind is ErrorKind.RATE_LIMITED else Outcome.SUCCEEDED)
    assert outcome_of(ProxyError(kind, "x")) is Outcome.ABANDONED
