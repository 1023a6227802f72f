"""The journal: every finished request is told once, soon, and not on the path of the next."""

from __future__ import annotations

from collections.abc import Sequence

from fastproxy.observability import journal
from fastproxy.observability.journal import Journal
from fastproxy.observability.record import RequestRecord
from tests.fastclock import fast


class Told:
    """What was counted, and how it was written."""

    def __init__(self) -> None:
        self.counted: list[RequestRecord] = []
        self.writes: list[int] = []
        self.journal = Journal(self.counted.extend, self.write)

    def write(self, records: Sequence[RequestRecord]) -> None:
        self.writes.append(len(records))


def record() -> RequestRecord:
    return RequestRecord("r", "POST", "/")


@fast
async def test_requests_of_one_moment_are_told_together_with_one_write() -> None:
    import asyncio

    told = Told()
    for _ in range(3):
        told.journal.add(record())
    assert told.counted == []
    await asyncio.sleep(journal.FLUSH_AFTER_SECONDS * 2)
    assert (len(told.counted), told.writes) == (3, [3])
    told.journal.add(record())
    await asyncio.sleep(journal.FLUSH_AFTER_SECONDS * 2)
    assert told.writes == [3, 1]


@fast
async def test_a_full_journal_does_not_wait() -> None:
    told = Told()
    for _ in range(journal.MAX_WAITING + 1):
        told.journal.add(record())
    assert sum(told.writes) >= journal.MAX_WAITING


@fast
async def test_a_flush_tells_all_and_nothing_twice() -> None:
    told = Told()
    told.journal.add(record())
    told.journal.flush()
    told.journal.flush()
    assert told.writes == [1]


@fast
async def test_who_cannot_be_told_keeps_nobody_else_from_knowing() -> None:
    def broken(_records: Sequence[RequestRecord]) -> None:
        raise ValueError("a counter cannot go down")

    told: list[RequestRecord] = []
    failing = Journal(broken, told.extend)
    failing.add(record())
    failing.flush()
    assert len(told) == 1
