"""An attempt's turn at a deployment: a place among the provider's concurrent requests, a word in its circuit.

A turn lasts until the answer's last byte, a stream's as well, and is ended exactly once.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.resilience.breaker import Breakers
from fastproxy.resilience.deadline import Watchdog
from fastproxy.resilience.gate import Gate
from fastproxy.types import Deployment


class Turn:
    """One attempt underway. Must be ended."""

    __slots__ = ("_breakers", "_ended", "_gate", "_is_probe", "deployment", "watchdog")

    def __init__(
        self,
        deployment: Deployment,
        watchdog: Watchdog,
        breakers: Breakers,
        gate: Gate | None,
        is_probe: bool,
    ) -> None:
        self.deployment, self.watchdog = deployment, watchdog
        self._breakers, self._gate, self._is_probe = breakers, gate, is_probe
        self._ended = False

    def began(self) -> None:
        """The first content of a stream is there: a probe has seen enough, others may follow it."""
        if self._is_probe:
            self._is_probe = False
            self._breakers.report(self.deployment, None, is_probe=True)

    def end(self, error: BaseException | None = None) -> None:
        """The attempt is over: by this error, or well. Idempotent."""
        if self._ended:
            return
        self._ended = True
        if self._gate is not None:
            self._gate.leave()
        self._breakers.report(self.deployment, error, is_probe=self._is_probe)


class Turns:
    """Gives turns at all deployments."""

    def __init__(self, breakers: Breakers | None = None) -> None:
        self.breakers = breakers or Breakers()
        self._gates: dict[str, Gate] = {}

    async def enter(self, deployment: Deployment) -> Gate:
        """A place among the provider's concurrent requests, which the turn gives back.

        Raises UpstreamError `queue_full`, or `circuit_open` at once where waiting would be in vain. To be
        called inside the watchdog: a request does not wait past its deadline.
        """
        self.breakers.check(deployment)
        care = deployment.care
        gate = self._gates.get(deployment.provider)
        if gate is None:
            gate = self._gates[deployment.provider] = Gate(care.max_concurrency)
        if not await gate.enter(care.queue_seconds):
            raise UpstreamError(
                ErrorKind.QUEUE_FULL,
                f"{deployment.provider} is answering {care.max_concurrency} requests already "
                f"(providers.{deployment.provider}.max_concurrency), and there was no place for one more.",
                retry_after=1,
            )
        return gate

    def take(self, deployment: Deployment, watchdog: Watchdog, gate: Gate | None = None) -> Turn:
        """A turn now; `gate` is where it has its place. Raises UpstreamError `circuit_open`."""
        try:
            is_probe = self.breakers.begin(deployment)
        except UpstreamError:
            if gate is not None:
                gate.leave()
            raise
        return Turn(deployment, watchdog, self.breakers, gate, is_probe)

    def load(self) -> Mapping[str, Gate]:
        """The gates of the providers that have one."""
        return self._gates
