"""What is true now, as gauges: load, circuits, credentials, the bridge's pool, the process itself."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from fastproxy.observability.metrics import definitions
from fastproxy.observability.metrics.definitions import counter, gauge
from fastproxy.observability.metrics.labels import Labels

CIRCUIT_STATES = {"closed": 0, "half_open": 1, "open": 2}
_STATM = Path("/proc/self/statm")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Places(Protocol):
    """So many at a time: a provider's concurrent requests."""

    @property
    def busy(self) -> int:
        """Places that are taken."""
        ...

    @property
    def waiting(self) -> int:
        """Who waits for one."""
        ...


class Present:
    """The gauges, and how each is set."""

    def __init__(self, registry: CollectorRegistry, labels: Labels) -> None:
        self._labels = labels
        self.in_flight = gauge(definitions.IN_FLIGHT, registry)
        self.waiting = gauge(definitions.WAITING, registry)
        self._provider_in_flight = gauge(definitions.PROVIDER_IN_FLIGHT, registry)
        self._provider_waiting = gauge(definitions.PROVIDER_WAITING, registry)
        self._circuits = gauge(definitions.CIRCUIT_STATE, registry)
        self._open: set[tuple[str, str]] = set()
        self._credential_age = gauge(definitions.CREDENTIAL_AGE, registry)
        self._credential_left = gauge(definitions.CREDENTIAL_LEFT, registry)
        self._bridge_up = gauge(definitions.BRIDGE_UP, registry)
        self._bridge_processes = gauge(definitions.BRIDGE_PROCESSES, registry)
        self._bridge_waiting = gauge(definitions.BRIDGE_WAITING, registry)
        self._bridge_spawned = gauge(definitions.BRIDGE_SPAWNED, registry)
        self.loop_lag = gauge(definitions.LOOP_LAG, registry)
        self._memory = gauge(definitions.MEMORY, registry)
        self._cpu, self._cpu_told = counter(definitions.CPU, registry), 0.0
        self._collections = counter(definitions.COLLECTIONS, registry)
        self._collections_told = [0, 0, 0]

    def set_load(self, load: Mapping[str, Places]) -> None:
        """The places of the providers that have a number of them."""
        for provider, places in load.items():
            self._provider_in_flight.labels(provider).set(places.busy)
            self._provider_waiting.labels(provider).set(places.waiting)

    def set_circuits(self, states: Mapping[str, Mapping[str, str]]) -> None:
        """The circuits that are not closed: provider -> model -> state."""
        worst = dict.fromkeys(self._open, 0)
        for provider, models in states.items():
            for model, state in models.items():
                key = (provider, self._labels.model(model))
                worst[key] = max(worst.get(key, 0), CIRCUIT_STATES[state])
        for key, value in worst.items():
            self._circuits.labels(*key).set(value)
        self._open = {key for key, value in worst.items() if value}

    def set_credentials(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Tokens that expire, by provider."""
        for provider, state in states.items():
            if state["refreshed_seconds_ago"] is not None:
                self._credential_age.labels(provider).set(state["refreshed_seconds_ago"])
                self._credential_left.labels(provider).set(state["expires_in_seconds"])

    def set_bridges(self, states: Mapping[str, Mapping[str, Any] | None]) -> None:
        """What each bridge last told of itself; None: it does not take requests."""
        for provider, state in states.items():
            self._bridge_up.labels(provider).set(state is not None)
            told = state["pool"] if state is not None else {}
            for kind in ("busy", "idle", "starting"):
                self._bridge_processes.labels(provider, kind).set(told.get(kind, 0))
            self._bridge_waiting.labels(provider).set(told.get("queued", 0))
            self._bridge_spawned.labels(provider).set(told.get("spawned", 0))

    def set_process(self) -> None:
        """Memory, CPU time and garbage collections of this process."""
        if _STATM.exists():  # Linux
            self._memory.set(int(_STATM.read_bytes().split()[1]) * _PAGE_BYTES)
        cpu = time.process_time()
        self._cpu.inc(cpu - self._cpu_told)
        self._cpu_told = cpu
        for generation, stats in enumerate(gc.get_stats()):
            happened = stats["collections"] - self._collections_told[generation]
            self._collections.labels(str(generation)).inc(happened)
            self._collections_told[generation] = stats["collections"]
