"""What a proxy's /metrics says, read with prometheus_client's own parser."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families


class Samples:
    """All samples of one scrape."""

    def __init__(self, text: str) -> None:
        self._samples = [
            (sample.name, dict(sample.labels), float(sample.value))
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    @property
    def names(self) -> set[str]:
        """The samples' names: those of a histogram end in _bucket, _sum or _count."""
        return {name for name, _, _ in self._samples}

    def all(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        """The labels and values of all samples of this name."""
        return ((labels, value) for found, labels, value in self._samples if found == name)

    def labels(self, name: str) -> list[dict[str, str]]:
        """The labels of all samples of this name."""
        return [labels for labels, _ in self.all(name)]

    def value(self, name: str, **labels: str) -> float:
        """The sample with these labels and no others; raises LookupError where there is none."""
        for found, value in self.all(name):
            if found == labels:
                return value
        raise LookupError(f"no {name}{labels}; there are {list(self.all(name))}")
