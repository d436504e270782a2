"""What reflectors tell, taken into the Store; and the Problems of objects that could not be read."""

from collections.abc import Iterable, Mapping

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
        self._problems: tuple[Problem, ...] | None = ()

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
        """Those of unreadable objects, in the order of their names; the same tuple until one changes."""
        if self._problems is None:
            self._problems = tuple(sorted(self._unreadable.values(), key=lambda problem: problem.object))
        return self._problems

    def take(self, told: Relisted | Told) -> bool:
        """Takes one thing that a reflector tells; whether only Problems changed, which no Change says."""
        if isinstance(told, Relisted):
            return self._relist(told)
        if isinstance(told.object, Unreadable):
            return self._take_unreadable(told.object, is_gone=told.type == "DELETED")
        self._store.apply(EventType(told.type), told.object)
        return self._note({(told.scope.kind, told.object.key): None})

    def take_changes(self) -> tuple[Change, ...]:
        """The Changes since the last call."""
        return self._store.take_changes()

    def _relist(self, told: Relisted) -> bool:
        kind = told.scope.kind
        # Several scopes may share a kind; a list says nothing about what it does not cover.
        others = [obj for obj in self._store.snapshot.all(kind) if not told.scope.covers(obj)]
        self._store.replace(kind, (*others, *told.objects))
        gone = {key: None for key in self._unreadable if key[0] is kind and _covers(told.scope, key)}
        self._unlisted.discard(told.scope)
        return self._note(gone | {(kind, one.name): one.problem for one in told.unreadable})

    def _take_unreadable(self, unreadable: Unreadable, *, is_gone: bool) -> bool:
        """An object that became unreadable is as good as gone: a controller that starts now would not know it either."""
        key = (unreadable.kind, unreadable.name)
        self._store.apply(EventType.DELETED, _bare(*key))
        return self._note({key: None if is_gone else unreadable.problem})

    def _note(self, found: Mapping[tuple[Kind, NamespacedName], Problem | None]) -> bool:
        """Takes what is unreadable about objects, None for nothing; whether that is news."""
        news = {key: problem for key, problem in found.items() if self._unreadable.get(key) != problem}
        for key, problem in news.items():
            if problem is None:
                del self._unreadable[key]
            else:
                self._unreadable[key] = problem
        if news:
            self._problems = None
        return bool(news)


def _bare(kind: Kind, name: NamespacedName) -> KubernetesObject:
    return kind(metadata=ObjectMeta(name=name.name, namespace=name.namespace))


def _covers(scope: Scope, key: tuple[Kind, NamespacedName]) -> bool:
    _, name = key
    return scope.namespace in ("", name.namespace) and scope.name in ("", name.name)
