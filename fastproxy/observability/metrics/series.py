"""Histograms that take many observations at once: prometheus_client takes two locks for each."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from prometheus_client import Histogram


class BatchHistogram(Histogram):
    """prometheus_client's, with one method more. What it touches is as it is in `Histogram.observe`."""

    def observe_all(self, values: Sequence[float]) -> None:
        """What `observe` does for each of these."""
        self._sum.inc(sum(values))
        fallen: dict[int, int] = {}
        for value in values:
            bucket = bisect_left(self._upper_bounds, value)
            fallen[bucket] = fallen.get(bucket, 0) + 1
        for bucket, times in fallen.items():
            self._buckets[bucket].inc(times)


class Series:
    """One series of a histogram, made when it has its first value: a model that never streamed has no
    times of streams."""

    __slots__ = ("_find", "_found", "waiting")

    def __init__(self, find: Callable[[], BatchHistogram]) -> None:
        self._find = find
        self._found: BatchHistogram | None = None
        self.waiting: list[float] = []
        """Values that are not told yet."""

    def tell(self) -> None:
        """Counts what waits."""
        if not self.waiting:
            return
        if self._found is None:
            self._found = self._find()
        self._found.observe_all(self.waiting)
        self.waiting.clear()
