"""The store in a file: private, durable, shared between processes, and refusing what it does not know."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from fastproxy.continuity.sqlite import PURGE_EVERY_SECONDS, SqliteStore

WRITER = """
import asyncio, sys
from fastproxy.continuity.sqlite import SqliteStore

async def main(path, name):
    store = SqliteStore(path, 60)
    for number in range(50):
        await store.put_many([(f"{name}-{number}".encode(), name.encode() * 100)])
    print("written", flush=True)
    sys.stdin.readline()
    other = {"a": "b", "b": "a"}[name]
    values = await store.get_many([f"{other}-{number}".encode() for number in range(50)])
    print(sum(value == other.encode() * 100 for value in values), flush=True)
    await store.aclose()

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "carry.db")


async def test_it_survives_a_restart(path: str) -> None:
    store = SqliteStore(path, 60)
    await store.put_many([(b"a", b"1"), (b"b", b"2")])
    await store.aclose()
    again = SqliteStore(path, 60)
    assert await again.get_many([b"b", b"c", b"a"]) == [b"2", None, b"1"]
    await again.aclose()


async def test_nobody_else_may_read_the_files(path: str) -> None:
    Path(path).touch(0o644)
    store = SqliteStore(path, 60)
    await store.put_many([(b"a", b"1")])
    files = list(Path(path).parent.iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len(files) == 3  # the file, its write-ahead log, its shared memory
    await store.aclose()


async def test_a_value_lives_for_its_time_and_is_purged_after_it(path: str) -> None:
    seconds = [1_000_000.0]
    store = SqliteStore(path, 10, wall=lambda: seconds[0])
    await store.put_many([(b"a", b"1")])
    seconds[0] += 10
    assert await store.get_many([b"a"]) == [None]
    await store.put_many([(b"b", b"2")])
    assert rows(path) == 2
    seconds[0] += PURGE_EVERY_SECONDS
    await store.put_many([(b"c", b"3")])
    assert rows(path) == 1
    await store.aclose()


async def test_more_keys_than_one_query_takes(path: str) -> None:
    store = SqliteStore(path, 60)
    keys = [str(number).encode() for number in range(1536)]
    await store.put_many([(key, key) for key in keys])
    assert await store.get_many(keys) == keys
    await store.aclose()


async def test_two_processes_share_it(path: str) -> None:
    # Both open, create the table and write at the same time; then each reads what the other wrote.
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            WRITER,
            path,
            name,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for name in "ab"
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"written\n"
    results = [(await process.communicate(b"go\n"))[0] for process in processes]
    assert results == [b"50\n", b"50\n"]


async def test_many_stores_open_one_new_file_at_once(path: str) -> None:
    stores = await asyncio.gather(*(asyncio.to_thread(SqliteStore, path, 60) for _ in range(6)))
    for store in stores:
        await store.put_many([(b"a", b"1")])
        await store.aclose()
    assert rows(path) == 1


def test_a_file_of_another_version_is_refused(path: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ValueError, match="version 99"):
        SqliteStore(path, 60)


def test_a_file_that_is_no_database_is_refused(path: str) -> None:
    Path(path).write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(ValueError, match="not a database"):
        SqliteStore(path, 60)


def rows(path: str) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM carry").fetchone()[0])
    finally:
        connection.close()
