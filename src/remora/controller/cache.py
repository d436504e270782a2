"""What reflectors tell, taken into the Store; and the Problems of objects that could not be read."""

from collections.abc import Iterable

from remora.core.names import NamespacedName
from remora.core.problem import Problem
from remora.kube.objects import KubernetesObject, ObjectMeta
from remora.kube.reflector import Relisted, Told
from remora.kube.resources import Kind, Scope
from remora.kube.wire import Unreadable
from remora.watch.snapshot import Change, Snapshot
from remora.watch.store import EventType, Store


class Cache:
    """The Store of all scopes together."""

    def __init__(self, scopes: Iterable[Scope]) -> None:
        self._store = Store()
        self._unlisted = set(scopes)
        self._unreadable: dict[tuple[Kind, NamespacedName], Problem] = {}

    @property
    def has_synced(self) -> bool:
        """Whether every scope was listed."""
        return not self._unlisted

    @property
    def snapshot(self) -> Snapshot:
        return self._store.snapshot

    @property
    def whole_snapshot(self) -> Snapshot | None:
        """The snapshot, once every scope was listed."""
        return self._store.snapshot if self.has_synced else None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Those of unreadable objects, in the order of their names."""
        return tuple(sorted(self._unreadable.values(), key=lambda problem: problem.object))

    def take(self, told: Relisted | Told) -> bool:
        """Takes one thing that a reflector tells; whether only Problems changed, which no Change says."""
        before = self._unreadable.copy()
        if isinstance(told, Relisted):
            self._relist(told)
        elif isinstance(told.object, Unreadable):
            self._take_unreadable(told.object, is_gone=told.type == "DELETED")
        else:
            self._unreadable.pop((told.scope.kind, told.object.key), None)
            self._store.apply(EventType(told.type), told.object)
        return before != self._unreadable

    def take_changes(self) -> tuple[Change, ...]:
        """The Changes since the last call."""
        return self._store.take_changes()

    def _relist(self, told: Relisted) -> None:
        kind = told.scope.kind
        # Several scopes may share a kind; a list says nothing about what it does not cover.
        others = [obj for obj in self._store.snapshot.all(kind) if not told.scope.covers(obj)]
        self._store.replace(kind, (*others, *told.objects))
        for key in [key for key, problem in self._unreadable.items() if key[0] is kind and _covers(told.scope, key)]:
            del self._unreadable[key]
        for unreadable in told.unreadable:
            self._unreadable[kind, unreadable.name] = unreadable.problem
        self._unlisted.discard(told.scope)

    def _take_unreadable(self, unreadable: Unreadable, *, is_gone: bool) -> None:
        """An object that became unreadable is as good as gone: a controller that starts now would not know it either."""
        key = (unreadable.kind, unreadable.name)
        self._store.apply(EventType.DELETED, _bare(*key))
        self._unreadable.pop(key, None)
        if not is_gone:
            self._unreadable[key] = unreadable.problem


def _bare(kind: Kind, name: NamespacedName) -> KubernetesObject:
    return kind(metadata=ObjectMeta(name=name.name, namespace=name.namespace))


def _covers(scope: Scope, key: tuple[Kind, NamespacedName]) -> bool:
    _, name = key
    return scope.namespace in ("", name.namespace) and scope.name in ("", name.name)
