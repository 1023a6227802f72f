"""The metrics of one process, and the text that tells of all processes'.

Several workers each write files of prometheus_client's multiprocess mode (PROMETHEUS_MULTIPROC_DIR, which the
supervisor sets before anything here is imported); whoever is asked reads them all.
"""

from __future__ import annotations

import platform

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest, multiprocess

from fastproxy import __version__
from fastproxy.observability.metrics import definitions
from fastproxy.observability.metrics.counting import Counting
from fastproxy.observability.metrics.labels import Labels
from fastproxy.observability.metrics.present import Present

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, which nobody asks for
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One registry a process."""

    def __init__(self, *, multiprocess_mode: bool = False) -> None:
        self._registry = registry = CollectorRegistry()
        self._multiprocess = multiprocess_mode
        labels = Labels()
        self.observe = Counting(registry, labels).observe
        """Counts finished requests."""
        self.present = Present(registry, labels)
        """What is true now."""
        definitions.counter(definitions.WORKER_DEATHS, registry)  # each worker has its 0, the parent counts
        definitions.gauge(definitions.WORKERS, registry).set(1)
        build = definitions.gauge(definitions.BUILD, registry)
        build.labels(__version__, platform.python_version()).set(1)

    def render(self) -> bytes:
        """Prometheus' text format, of all workers where there are several."""
        if not self._multiprocess:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


class DeadWorkers:
    """The supervisor's part: its own count of deaths, and what a dead worker leaves behind."""

    def __init__(self) -> None:
        self._deaths = definitions.counter(definitions.WORKER_DEATHS, CollectorRegistry())

    def bury(self, pid: int) -> None:
        """Takes a dead worker's gauges away; what it has counted stays."""
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
        self._deaths.inc()
