"""The store: current objects in memory, a global version, and a bounded log of changes that watches follow.

Reads never touch the disk. A write is on disk before anybody sees it, and seen by every watch before it returns. There is one
writer, the event loop: whoever checks something and then writes without awaiting in between does both as one step.
"""

import asyncio
import weakref
from collections import deque
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from remora.cluster.store.database import Database, Row

Object = dict[str, Any]

LOG_LENGTH = 1000
"""Changes that are kept for each resource in memory, and for all of them together on disk."""

_COMPACT_EVERY = 100
_LONGEST_QUEUE = 10_000


class TooOldError(Exception):
    """A watch asks for changes that the log no longer has, or reads more slowly than they come."""


class Change(NamedTuple):
    """One change of one object; `previous` is its state before, None if it is new or the log does not reach back to it."""

    version: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Object
    previous: Object | None


class Subscription:
    """The changes of one resource, in order, from the moment of subscribing."""

    def __init__(self, backlog: list[Change]) -> None:
        self._changes = deque(backlog)
        self._arrived = asyncio.Event()
        self._is_overrun = False

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
        """
        while not self._changes:
            if self._is_overrun:
                raise TooOldError
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
    """Opens or creates the file at `path`; only one process may have it open."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        self.version, self._compacted = self._database.read_counter()
        self._objects: dict[str, dict[str, dict[str, Object]]] = {}
        self._logs: dict[str, _Log] = {}
        self._subscriptions: dict[str, weakref.WeakSet[Subscription]] = {}
        self._load()

    def _load(self) -> None:
        for resource, namespace, name, body in self._database.read_objects():
            self._objects.setdefault(resource, {}).setdefault(namespace, {})[name] = msgspec.json.decode(body)
        last: dict[tuple[str, str, str], Object] = {}
        for row in self._database.read_log():
            obj: Object = msgspec.json.decode(row.body)
            previous = last.get(row[2:5])
            last[row[2:5]] = obj
            self._log(row.resource).append(Change(row.version, row.type, obj, previous))  # type: ignore[arg-type]

    def close(self) -> None:
        self._database.close()

    def find(self, resource: str, namespace: str, name: str) -> Object | None:
        return self._objects.get(resource, {}).get(namespace, {}).get(name)

    def list(self, resource: str, namespace: str = "") -> list[Object]:
        """Ordered by namespace and name, as Kubernetes orders a list; of all namespaces if none is given."""
        by_namespace = self._objects.get(resource, {})
        chosen = sorted(by_namespace) if not namespace else [namespace]
        return [objects[name] for space in chosen for objects in (by_namespace.get(space, {}),) for name in sorted(objects)]

    def count(self, resource: str) -> int:
        return sum(len(objects) for objects in self._objects.get(resource, {}).values())

    def put(self, resource: str, obj: Object) -> Object:
        """Keeps an object under its namespace and name and returns it as kept, with its new `metadata.resourceVersion`."""
        metadata = obj["metadata"]
        version = self.version + 1
        kept = {**obj, "metadata": {**metadata, "resourceVersion": str(version)}}
        previous = self.find(resource, metadata.get("namespace", ""), metadata["name"])
        self._write(resource, Change(version, "ADDED" if previous is None else "MODIFIED", kept, previous))
        return kept

    def remove(self, resource: str, obj: Object) -> Object:
        """Removes a kept object; returned is its last state (`obj`) under the version of its removal, as watchers see it."""
        metadata = obj["metadata"]
        version = self.version + 1
        last = {**obj, "metadata": {**metadata, "resourceVersion": str(version)}}
        previous = self.find(resource, metadata.get("namespace", ""), metadata["name"])
        self._write(resource, Change(version, "DELETED", last, previous))
        return last

    def subscribe(self, resource: str, *, since: int) -> Subscription:
        """All changes of a resource after the version `since`, from the log and as they come.

        Raises:
            TooOldError: the log no longer reaches back to that version.
        """
        subscription = Subscription(self._log(resource).since(since))
        self._subscriptions.setdefault(resource, weakref.WeakSet()).add(subscription)
        return subscription

    def _write(self, resource: str, change: Change) -> None:
        metadata = change.object["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        body = msgspec.json.encode(change.object)
        compact_to = change.version - LOG_LENGTH if change.version % _COMPACT_EVERY == 0 else None
        row = Row(change.version, change.type, resource, namespace, name, body)
        self._database.write(row, compact_to=compact_to if compact_to and compact_to > 0 else None)
        self.version = change.version
        self._mirror(resource, namespace, name, change)
        self._log(resource).append(change)
        for subscription in self._subscriptions.get(resource, ()):
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
