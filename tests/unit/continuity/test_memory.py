"""The store within the process: it forgets in time and never grows past its bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastproxy.continuity.memory import ENTRY_OVERHEAD_BYTES, MemoryStore


async def test_a_value_lives_for_its_time_and_no_longer() -> None:
    seconds = [0.0]
    store = MemoryStore(10, now=lambda: seconds[0])
    await store.put_many([(b"k", b"v")])
    seconds[0] = 9.9
    assert await store.get_many([b"k", b"other"]) == [b"v", None]
    seconds[0] = 10.0
    assert await store.get_many([b"k"]) == [None]
    assert (len(store), store.size_bytes) == (0, 0)


async def test_the_least_recently_used_goes_first() -> None:
    store = MemoryStore(10, max_entries=2)
    await store.put_many([(b"a", b"1"), (b"b", b"2")])
    await store.get_many([b"a"])
    await store.put_many([(b"c", b"3")])
    assert await store.get_many([b"a", b"b", b"c"]) == [b"1", None, b"3"]


async def test_bytes_are_bounded_too() -> None:
    store = MemoryStore(10, max_bytes=3 * (ENTRY_OVERHEAD_BYTES + 10))
    await store.put_many([(bytes([number]), b"x" * 10) for number in range(9)])
    assert len(store) == 3
    await store.put_many([(b"large", b"x" * 10_000)])
    assert (len(store), store.size_bytes) == (0, 0)


async def test_closing_forgets_everything() -> None:
    store = MemoryStore(10)
    await store.put_many([(b"a", b"1")])
    await store.aclose()
    assert (len(store), store.size_bytes) == (0, 0)


operations = st.lists(
    st.tuples(
        st.booleans(), st.sampled_from([b"a", b"b", b"c", b"d"]), st.integers(0, 400), st.integers(0, 4)
    ),
    max_size=40,
)


@given(operations)
async def test_the_count_of_bytes_is_right_whatever_happens(
    steps: list[tuple[bool, bytes, int, int]],
) -> None:
    seconds = [0.0]
    store = MemoryStore(5, max_entries=3, max_bytes=1200, now=lambda: seconds[0])
    for put, key, size, later in steps:
        seconds[0] += later
        if put:
            await store.put_many([(key, b"x" * size)])
        else:
            await store.get_many([key])
        assert len(store) <= 3
        assert store.size_bytes <= 1200
    left = [value for value in await store.get_many([b"a", b"b", b"c", b"d"]) if value is not None]
    assert store.size_bytes == sum(len(value) + ENTRY_OVERHEAD_BYTES for value in left)
