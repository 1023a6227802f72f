"""The circuit breakers: a deployment that fails again and again is left alone for a while.

Laws:
1. Only faults of the provider count (no connection, too late, 5xx, garbage, a broken stream). An answer that
   refuses is an answer; 429 and a client that leaves say nothing about health.
2. Every way out of an attempt is reported. HALF_OPEN lets one request through, the probe; nobody else's late
   report moves a circuit that is not CLOSED.
3. A deployment without recent faults has no circuit at all: the good path costs one look at an empty table.

Each process has its own breakers.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from enum import Enum

from aiocircuitbreaker import CircuitBreaker
from aiocircuitbreaker import State as _State

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import Deployment

MAX_CIRCUITS = 1000
"""Model names are the clients' words: circuits that are still closed make room, the oldest first."""


class State(Enum):
    """The states of a circuit; the value is the metric's."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Outcome(Enum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"
    """It says nothing about the provider."""


_FAULTS = frozenset(
    {
        ErrorKind.BAD_RESPONSE,
        ErrorKind.CONNECTION_FAILED,
        ErrorKind.OVERLOADED,
        ErrorKind.CONNECT_TIMEOUT,
        ErrorKind.FIRST_TOKEN_TIMEOUT,
        ErrorKind.IDLE_TIMEOUT,
        ErrorKind.TOTAL_TIMEOUT,
    }
)


def outcome_of(error: BaseException | None) -> Outcome:
    """What an attempt's end says about the provider; None: it answered, to the end."""
    if error is None:
        return Outcome.SUCCEEDED
    if isinstance(error, UpstreamError):
        if error.kind in _FAULTS:
            return Outcome.FAILED
        if error.upstream_status is not None and error.kind is not ErrorKind.RATE_LIMITED:
            return Outcome.SUCCEEDED
    return Outcome.ABANDONED


class _OnOurClock(CircuitBreaker):  # type: ignore[misc]  # untyped
    """aiocircuitbreaker's states and counter; what reads the wall clock there is overridden or muted."""

    def __init__(self, threshold: int, recovery_seconds: float, clock: Callable[[], float]) -> None:
        self._clock, self._opened_at = clock, 0.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            super().__init__(threshold, recovery_seconds)

    @property
    def open_remaining(self) -> float:
        """Seconds until a probe may go."""
        return self._opened_at + float(self._recovery_timeout) - self._clock()

    def failed(self, error: BaseException) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self.__exit__(type(error), error, None)
        if not self.closed:
            self._opened_at = self._clock()

    def succeeded(self) -> None:
        self.__exit__(None, None, None)


class _Circuit:
    """One deployment's: the library's machine, and the one probe."""

    def __init__(self, deployment: Deployment, clock: Callable[[], float]) -> None:
        care = deployment.care
        self.deployment = deployment
        self.machine = _OnOurClock(care.failure_threshold, care.recovery_seconds, clock)
        self.probing = False

    @property
    def state(self) -> State:
        return State[self.machine.state.name]

    @property
    def is_blocked(self) -> bool:
        return self.machine.opened or (self.machine.state is _State.HALF_OPEN and self.probing)


class Breakers:
    """All circuits of a process. `tell` hears of every change of state."""

    def __init__(
        self,
        tell: Callable[[Deployment, State], None] = lambda _deployment, _state: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell, self._clock = tell, clock
        self._circuits: dict[tuple[str, str], _Circuit] = {}

    def __repr__(self) -> str:
        return f"<Breakers circuits={len(self._circuits)}>"

    def check(self, deployment: Deployment) -> None:
        """Raises UpstreamError `circuit_open` where no attempt may begin now."""
        circuit = self._circuits.get((deployment.provider, deployment.model)) if self._circuits else None
        if circuit is not None and circuit.is_blocked:
            raise _open(deployment, max(1.0, circuit.machine.open_remaining))

    def begin(self, deployment: Deployment) -> bool:
        """Whether the attempt that begins now is the probe, which nobody follows before its end.

        Raises like `check`. Its end must be reported.
        """
        if not self._circuits:
            return False
        self.check(deployment)
        circuit = self._circuits.get((deployment.provider, deployment.model))
        if circuit is None or circuit.machine.state is not _State.HALF_OPEN:
            return False
        circuit.probing = True
        self._tell(deployment, State.HALF_OPEN)
        return True

    def report(self, deployment: Deployment, error: BaseException | None, *, is_probe: bool) -> None:
        """An attempt ended, with this error or well."""
        if not self._circuits and error is None:
            return
        outcome = outcome_of(error)
        key = (deployment.provider, deployment.model)
        circuit = self._circuits.get(key)
        if circuit is None:
            if error is None or outcome is not Outcome.FAILED or not deployment.care.failure_threshold:
                return
            circuit = self._add(deployment)
        if is_probe:
            circuit.probing = False
        elif not circuit.machine.closed:
            return
        self._move(circuit, outcome, error)

    def _move(self, circuit: _Circuit, outcome: Outcome, error: BaseException | None) -> None:
        was_closed = circuit.machine.closed
        if outcome is Outcome.FAILED and error is not None:
            circuit.machine.failed(error)
            if not circuit.machine.closed:
                self._tell(circuit.deployment, State.OPEN)
        elif outcome is Outcome.SUCCEEDED:
            circuit.machine.succeeded()
            self._circuits.pop((circuit.deployment.provider, circuit.deployment.model), None)
            if not was_closed:
                self._tell(circuit.deployment, State.CLOSED)

    def _add(self, deployment: Deployment) -> _Circuit:
        if len(self._circuits) >= MAX_CIRCUITS:
            closed = (key for key, circuit in self._circuits.items() if circuit.machine.closed)
            self._circuits.pop(next(closed, next(iter(self._circuits))))
        key = (deployment.provider, deployment.model)
        circuit = self._circuits[key] = _Circuit(deployment, self._clock)
        return circuit

    def states(self) -> Mapping[str, Mapping[str, str]]:
        """The circuits that are not closed: provider -> model -> state, in lower case."""
        found: dict[str, dict[str, str]] = {}
        for (provider, model), circuit in self._circuits.items():
            if circuit.state is not State.CLOSED:
                found.setdefault(provider, {})[model] = circuit.state.name.lower()
        return found


def _open(deployment: Deployment, seconds: float) -> UpstreamError:
    return UpstreamError(
        ErrorKind.CIRCUIT_OPEN,
        f"{deployment.provider} failed {deployment.care.failure_threshold} times in a row and is left alone "
        f"for {seconds:.0f} s more (providers.{deployment.provider}.breaker_recovery_seconds).",
        retry_after=seconds,
    )
