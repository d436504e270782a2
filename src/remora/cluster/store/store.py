"""The store: current objects in memory, a global version, and a bounded log of changes that watches follow.

Reads never touch the disk. There is one writer, the event loop: whoever checks something and then writes without awaiting in
between does both as one step. What is written in one turn of the loop goes to disk as one transaction at its end, because a
transaction costs twice what a change in it does. Until then only the process itself sees it: watches are told after the
transaction, a version is told only of what is on disk, and whoever tells somebody outside of a write awaits `settled` first.
"""

import asyncio
import logging
import sqlite3
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from remora.cluster.store.database import Database, Row
from remora.cluster.store.sharing import Sharing
from remora.core.errors import ConfigurationError

Object = dict[str, Any]

_log = logging.getLogger(__name__)

LOG_LENGTH = 1000
"""Changes that are kept for each resource in memory, and for all of them together on disk."""

_COMPACT_EVERY = 100
_LONGEST_QUEUE = 10_000
_KEEP_SHOWN = 100


class TooOldError(Exception):
    """A watch asks for changes that the log no longer has, or reads more slowly than they come."""


class EndedError(Exception):
    """There is nothing more to follow."""


class Change(NamedTuple):
    """One change of one object; `previous` is its state before, None if it is new or the log does not reach back to it.

    `shown` is for whoever tells of it, to keep what can be told to others as well; it is forgotten a few changes later.
    """

    version: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Object
    previous: Object | None
    shown: dict[tuple[str, ...], bytes]


class Subscription:
    """The changes of one resource, in order, from the moment of subscribing; with a namespace only those in it."""

    def __init__(self, backlog: list[Change], namespace: str = "") -> None:
        self.namespace = namespace
        self._changes = deque(backlog)
        self._arrived = asyncio.Event()
        self._is_overrun = False
        self._is_ended = False

    def end(self) -> None:
        """After what has come there is nothing more."""
        self._is_ended = True
        self._arrived.set()

    def put(self, change: Change) -> None:
        if len(self._changes) >= _LONGEST_QUEUE:
            self._is_overrun = True
            self._changes.clear()
        if not self._is_overrun:
            self._changes.append(change)
        self._arrived.set()

    def has_next(self) -> bool:
        return bool(self._changes) or self._is_overrun

    async def next(self) -> Change:
        """The next change, waiting for it.

        Raises:
            TooOldError: changes came faster than they were read, and some are lost.
            EndedError: there will be none.
        """
        while not self._changes:
            if self._is_overrun:
                raise TooOldError
            if self._is_ended:
                raise EndedError
            self._arrived.clear()
            await self._arrived.wait()
        return self._changes.popleft()


class _Log:
    """The last changes of one resource; `compacted` is the newest version that may be missing from it."""

    def __init__(self, compacted: int) -> None:
        self.changes: deque[Change] = deque()
        self.compacted = compacted

    def append(self, change: Change) -> None:
        self.changes.append(change)
        if len(self.changes) > LOG_LENGTH:
            self.compacted = self.changes.popleft().version

    def since(self, version: int) -> list[Change]:
        if version < self.compacted:
            raise TooOldError
        return [change for change in self.changes if change.version > version]


class Store:
    """Opens or creates the file at `path`; only one process may have it open.

    Raises:
        ConfigurationError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._objects: dict[str, dict[str, dict[str, Object]]] = {}
        self._logs: dict[str, _Log] = {}
        self._subscriptions: dict[str, weakref.WeakSet[Subscription]] = {}
        self._sharing = Sharing()
        self._touched: dict[str, int] = {}
        self._latest: deque[Change] = deque()
        self._pending: list[tuple[Row, Change]] = []
        self._outcome: asyncio.Future[None] | None = None
        """Of the transaction that is to come, if somebody waits for it."""
        with _explained(path), ExitStack() as undoing:
            self._database = Database(path)
            undoing.callback(self._database.close)
            self._version, self._compacted = self._database.read_counter()
            self._load_objects()
            self._load_log()
            undoing.pop_all()

    def _load_objects(self) -> None:
        for resource, namespace, name, body in self._database.read_objects():
            obj = msgspec.json.decode(body)
            obj["metadata"] = self._sharing.metadata(obj["metadata"])
            self._objects.setdefault(resource, {}).setdefault(namespace, {})[name] = obj

    def _load_log(self) -> None:
        last: dict[tuple[str, str, str], Object] = {}
        for row in self._database.read_log():
            obj: Object = msgspec.json.decode(row.body)
            previous = last.get(row[2:5])
            last[row[2:5]] = obj
            self._log(row.resource).append(Change(row.version, row.type, obj, previous, {}))  # type: ignore[arg-type]

    def close(self) -> None:
        self.commit()
        self._database.close()

    @property
    def version(self) -> int:
        """The newest version given; all changes up to it are on disk and have been told to watches."""
        self.commit()
        return self._version

    def find(self, resource: str, namespace: str, name: str) -> Object | None:
        return self._objects.get(resource, {}).get(namespace, {}).get(name)

    def list(self, resource: str, namespace: str = "") -> list[Object]:
        """Ordered by namespace and name, as Kubernetes orders a list; of all namespaces if none is given."""
        by_namespace = self._objects.get(resource, {})
        chosen = sorted(by_namespace) if not namespace else [namespace]
        return [objects[name] for space in chosen for objects in (by_namespace.get(space, {}),) for name in sorted(objects)]

    def count(self, resource: str) -> int:
        return sum(len(objects) for objects in self._objects.get(resource, {}).values())

    def touched(self, resource: str) -> int:
        """The version of the newest change of a resource since the start; 0 if there was none."""
        return self._touched.get(resource, 0)

    def put(self, resource: str, obj: Object) -> Object:
        """Keeps an object under its namespace and name and returns it as kept, with its new `metadata.resourceVersion`."""
        metadata = obj["metadata"]
        version = self._version + 1
        kept = {**obj, "metadata": self._sharing.metadata({**metadata, "resourceVersion": str(version)})}
        previous = self.find(resource, metadata.get("namespace", ""), metadata["name"])
        self._write(resource, Change(version, "ADDED" if previous is None else "MODIFIED", kept, previous, {}))
        return kept

    def remove(self, resource: str, obj: Object) -> Object:
        """Removes a kept object; returned is its last state (`obj`) under the version of its removal, as watchers see it."""
        metadata = obj["metadata"]
        version = self._version + 1
        last = {**obj, "metadata": {**metadata, "resourceVersion": str(version)}}
        previous = self.find(resource, metadata.get("namespace", ""), metadata["name"])
        self._write(resource, Change(version, "DELETED", last, previous, {}))
        return last

    def subscribe(self, resource: str, *, since: int, namespace: str = "") -> Subscription:
        """All changes of a resource after the version `since`, from the log and as they come.

        Raises:
            TooOldError: the log no longer reaches back to that version.
        """
        self.commit()
        backlog = [change for change in self._log(resource).since(since) if _is_in(change, namespace)]
        subscription = Subscription(backlog, namespace)
        self._subscriptions.setdefault(resource, weakref.WeakSet()).add(subscription)
        return subscription

    def end_subscriptions(self, resource: str) -> None:
        """Ends all that follow a resource."""
        for subscription in list(self._subscriptions.get(resource, ())):
            subscription.end()

    async def settled(self) -> None:
        """Returns when all that was written is on disk.

        Raises:
            sqlite3.Error: it cannot be written, and is undone.
        """
        if self._pending:
            if self._outcome is None:
                self._outcome = asyncio.get_running_loop().create_future()
            # Whoever goes away must not take the outcome from the others.
            await asyncio.shield(self._outcome)

    def commit(self) -> None:
        """Brings to disk what was written since the last time, then tells watches.

        Raises:
            sqlite3.Error: it cannot be written, and is undone.
        """
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        outcome, self._outcome = self._outcome, None
        try:
            self._database.write([row for row, _ in pending], compact_to=_compact_to(pending[0][0].version, self._version))
        except sqlite3.Error as error:
            self._undo(pending)
            if outcome is not None and not outcome.done():
                outcome.set_exception(error)
            raise
        for row, change in pending:
            self._tell(row.resource, change)
        if outcome is not None and not outcome.done():
            outcome.set_result(None)

    def _undo(self, pending: Iterable[tuple[Row, Change]]) -> None:
        """Back to what is on disk. Versions are not given twice: somebody may have kept what he made of the state at one."""
        self._version += 1
        self._touched.update((row.resource, self._version) for row, _ in pending)
        self._objects.clear()
        self._load_objects()

    def _commit_at_end_of_turn(self) -> None:
        try:
            self.commit()
        except sqlite3.Error:
            _log.exception("the last changes could not be written and are undone")

    def _write(self, resource: str, change: Change) -> None:
        metadata = change.object["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        row = Row(change.version, change.type, resource, namespace, name, msgspec.json.encode(change.object))
        self._version = self._touched[resource] = change.version
        self._mirror(resource, namespace, name, change)
        self._pending.append((row, change))
        if len(self._pending) == 1:
            _soon(self._commit_at_end_of_turn, otherwise=self.commit)

    def _tell(self, resource: str, change: Change) -> None:
        self._log(resource).append(change)
        self._latest.append(change)
        if len(self._latest) > _KEEP_SHOWN:
            self._latest.popleft().shown.clear()
        for subscription in self._subscriptions.get(resource, ()):
            if _is_in(change, subscription.namespace):
                subscription.put(change)

    def _mirror(self, resource: str, namespace: str, name: str, change: Change) -> None:
        objects = self._objects.setdefault(resource, {}).setdefault(namespace, {})
        if change.type == "DELETED":
            objects.pop(name, None)
            if not objects:
                del self._objects[resource][namespace]
        else:
            objects[name] = change.object

    def _log(self, resource: str) -> _Log:
        log = self._logs.get(resource)
        if log is None:
            log = self._logs[resource] = _Log(self._compacted)
        return log


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Says in a sentence what is wrong with the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        # A full disk, missing rights, another process: the file itself may be whole.
        raise ConfigurationError(f"{path} cannot be used: {error}") from error
    except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
        why = f"{path} cannot be read: {error}"
        raise ConfigurationError(f"{why}. To begin anew without the objects that it kept, remove that file") from error


def _is_in(change: Change, namespace: str) -> bool:
    return not namespace or change.object["metadata"].get("namespace", "") == namespace


def _compact_to(first: int, last: int) -> int | None:
    """The version up to which the log may go when the changes from `first` to `last` are written, None to leave it."""
    if first // _COMPACT_EVERY == last // _COMPACT_EVERY and first % _COMPACT_EVERY:
        return None
    return last - LOG_LENGTH if last > LOG_LENGTH else None


def _soon(call: Callable[[], None], *, otherwise: Callable[[], None]) -> None:
    """Calls it at the end of this turn of the event loop; where none runs, `otherwise` at once."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        otherwise()
    else:
        loop.call_soon(call)
