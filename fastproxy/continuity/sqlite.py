"""The store in a file: shared by the worker processes of one machine, and still there after a restart.

SQLite blocks, so one thread of its own holds the one connection. Expiry is in wall-clock time, because the
file outlives the process and its monotonic clock.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE carry (key BLOB PRIMARY KEY, value BLOB NOT NULL, expires_at REAL NOT NULL);
CREATE INDEX carry_expires_at ON carry (expires_at);
"""
BUSY_SECONDS = 2.0
"""How long one process waits for another's write."""
PURGE_EVERY_SECONDS = 60.0
SWITCH_TRIES = 40
SWITCH_PAUSE_SECONDS = 0.05
VARIABLES = 500
"""Keys in one query; builds of SQLite may allow no more than 999."""


class SqliteStore:
    """A table of digests and values in one file that only its owner may read (mode 0600)."""

    def __init__(self, path: str, ttl_seconds: float, *, wall: Callable[[], float] = time.time) -> None:
        self._ttl_seconds = ttl_seconds
        self._wall = wall
        self._purge_at = 0.0
        try:
            _make_private(path)
            self._connection = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise ValueError(
                f"Cannot open the continuity store {path}: {error}. "
                "Its directory must exist, be writable and lie on a local disk."
            ) from error
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="continuity")

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values that are still alive, in the order of the keys."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._get_many, keys)

    async def put_many(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Stores the pairs in one transaction; now and then purges what is over."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._put_many, items)

    async def aclose(self) -> None:
        """Closes the file, after what is under way."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    def _get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        found: dict[bytes, bytes] = {}
        for start in range(0, len(keys), VARIABLES):
            some = keys[start : start + VARIABLES]
            marks = ",".join("?" * len(some))
            query = f"SELECT key, value FROM carry WHERE expires_at > ? AND key IN ({marks})"  # noqa: S608
            found.update(self._connection.execute(query, (self._wall(), *some)))
        return [found.get(key) for key in keys]

    def _put_many(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        now = self._wall()
        rows = [(key, value, now + self._ttl_seconds) for key, value in items]
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO carry VALUES (?, ?, ?)", rows)
            if now >= self._purge_at:
                self._purge_at = now + PURGE_EVERY_SECONDS
                self._connection.execute("DELETE FROM carry WHERE expires_at <= ?", (now,))


def _make_private(path: str) -> None:
    """Creates the file before SQLite does, which would let others read it; -wal and -shm take its mode."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _connect(path: str) -> sqlite3.Connection:
    # Built in this thread, used in the store's own alone.
    connection = sqlite3.connect(Path(path).absolute(), timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for another process at this one statement, whatever its busy timeout says."""
    for tries_left in reversed(range(SWITCH_TRIES)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if not tries_left:
                raise
            time.sleep(SWITCH_PAUSE_SECONDS)
        else:
            return


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")  # of several workers that start at once, one makes the table
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.commit()
    if version not in (0, SCHEMA_VERSION):
        raise sqlite3.DatabaseError(f"it is of version {version}, this program knows {SCHEMA_VERSION}")
