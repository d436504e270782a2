"""The SQLite file behind the store. Every write is one transaction that is on disk, as far as a killed process goes, on return.

`synchronous=NORMAL` in WAL mode: a commit has reached the operating system when it returns, so `kill -9` loses nothing; only a
power failure may lose the last commits (never the file's consistency), which for a cluster on one's own machine is the better
bargain than an fsync for every status update.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counter (
    one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, compacted INTEGER NOT NULL
);
INSERT OR IGNORE INTO counter VALUES (1, 0, 0);
CREATE TABLE IF NOT EXISTS objects (
    resource TEXT, namespace TEXT, name TEXT, body BLOB NOT NULL, PRIMARY KEY (resource, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (
    version INTEGER PRIMARY KEY, type TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    body BLOB NOT NULL
);
"""


class Row(NamedTuple):
    """One change as it is kept: `body` is the object's JSON after it, for a deletion the last state."""

    version: int
    type: str
    resource: str
    namespace: str
    name: str
    body: bytes


class Database:
    """Raises `sqlite3.Error` where the file cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        self._connection.close()

    def read_counter(self) -> tuple[int, int]:
        """The last version given, and the newest one that the log no longer has."""
        version, compacted = self._connection.execute("SELECT version, compacted FROM counter").fetchone()
        return version, compacted

    def read_objects(self) -> Iterator[tuple[str, str, str, bytes]]:
        yield from self._connection.execute("SELECT resource, namespace, name, body FROM objects")

    def read_log(self) -> Iterator[Row]:
        for row in self._connection.execute("SELECT version, type, resource, namespace, name, body FROM log ORDER BY version"):
            yield Row(*row)

    def write(self, row: Row, *, compact_to: int | None = None) -> None:
        """Keeps one change, and forgets the log up to and including `compact_to`."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._write(row, compact_to)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _write(self, row: Row, compact_to: int | None) -> None:
        execute = self._connection.execute
        if row.type == "DELETED":
            execute("DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?", row[2:5])
        else:
            execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", row[2:])
        execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", row)
        execute("UPDATE counter SET version = ?", (row.version,))
        if compact_to is not None:
            execute("DELETE FROM log WHERE version <= ?", (compact_to,))
            execute("UPDATE counter SET compacted = ?", (compact_to,))
