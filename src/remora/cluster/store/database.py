"""The SQLite file behind the store. Changes written together are one transaction, which on return no killed process can lose.

`synchronous=NORMAL` in WAL mode: a commit has reached the operating system when it returns, so `kill -9` loses nothing; only a
power failure may lose the last commits (never the file's consistency), which for a cluster on one's own machine is the better
bargain than an fsync for every status update.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counter (
    one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, compacted INTEGER NOT NULL
);
INSERT OR IGNORE INTO counter VALUES (1, 0, 0);
CREATE TABLE IF NOT EXISTS objects (
    resource TEXT, namespace TEXT, name TEXT, body BLOB NOT NULL, PRIMARY KEY (resource, namespace, name)
);
CREATE TABLE IF NOT EXISTS log (
    version INTEGER PRIMARY KEY, type TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    body BLOB NOT NULL
);
"""

_CHECKPOINT = 4000
"""Pages of WAL (16 MB) after which it is copied into the file, for which SQLite waits for the disk."""


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
        self._connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT}")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        self._connection.close()

    def read_counter(self) -> tuple[int, int]:
        """The last version given, and the newest one that the log no longer has.

        The counter is only as new as the last look at the log's length; what is newer is in the log.
        """
        counted, compacted = self._connection.execute("SELECT version, compacted FROM counter").fetchone()
        (logged,) = self._connection.execute("SELECT MAX(version) FROM log").fetchone()
        return max(counted, logged or 0), compacted

    def read_objects(self) -> Iterator[tuple[str, str, str, bytes]]:
        yield from self._connection.execute("SELECT resource, namespace, name, body FROM objects")

    def read_log(self) -> Iterator[Row]:
        for row in self._connection.execute("SELECT version, type, resource, namespace, name, body FROM log ORDER BY version"):
            yield Row(*row)

    def write(self, rows: Sequence[Row], *, compact_to: int | None = None) -> None:
        """Keeps all these changes or none, and forgets the log up to and including `compact_to`."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for row in rows:
                self._write(row)
            if compact_to is not None:
                self._compact(rows[-1].version, compact_to)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _write(self, row: Row) -> None:
        execute = self._connection.execute
        if row.type == "DELETED":
            execute("DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?", row[2:5])
        else:
            execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", row[2:])
        execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", row)

    def _compact(self, version: int, compact_to: int) -> None:
        self._connection.execute("DELETE FROM log WHERE version <= ?", (compact_to,))
        self._connection.execute("UPDATE counter SET version = ?, compacted = ?", (version, compact_to))
