"""What a unit of translation may read, and the note that is taken of it.

A unit reads objects and index entries of the snapshot and the outcomes of units below it. Nobody lists what a unit depends
on: the view records each question, also one whose answer was "not there".
"""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from remora.core.names import Hostname, NamespacedName
from remora.core.settings import RoutingSettings
from remora.kube.objects import EndpointSlice, KubernetesObject, Pod
from remora.watch.snapshot import Change, Index, IndexKey, Snapshot

T = TypeVar("T")
K = TypeVar("K", bound=KubernetesObject)


class Unit(msgspec.Struct, Generic[T], frozen=True, gc=False, cache_hash=True):
    """A piece of translation: its fields say which one it is, and `run` makes its outcome, a frozen value.

    A unit reads only units of a lower `layer`. Its hash is kept, since it is a key in half a dozen places.
    """

    layer: ClassVar[int] = 0

    def run(self, view: "View") -> T:
        """The outcome, as a pure function of what is read from the view."""
        raise NotImplementedError


ReadKey = Change | IndexKey | Unit[Any]
"""Something that a unit can read: an object by kind and name, an entry of an index, another unit's outcome."""


def touched_by(change: Change, snapshot: Snapshot) -> Iterator[ReadKey]:
    """What is other for units after a change, beside entries of indexes."""
    yield change
    if change.kind is Pod:
        yield from (Change(EndpointSlice, name) for name in snapshot.slices_naming(change.name))


class View:
    """A snapshot as one unit sees it. `reads` is what it asked for; `needs` the units that must exist because of it."""

    __slots__ = ("_outcome_of", "_snapshot", "before", "needs", "reads", "settings")

    def __init__(
        self, snapshot: Snapshot, settings: RoutingSettings, *, outcome_of: Callable[[Unit[Any]], Any], before: Any = None
    ) -> None:
        self.settings = settings
        self.before = before
        """The outcome that the unit had before, None if it is new: only for keeping what is equal as the identical object."""
        self.reads: dict[ReadKey, None] = {}
        self.needs: dict[Unit[Any], None] = {}
        self._snapshot = snapshot
        self._outcome_of = outcome_of

    def find(self, kind: type[K], name: NamespacedName) -> K | None:
        """The object of that name, if there is one."""
        self.reads[Change(kind, name)] = None
        return self._snapshot.find(kind, name)

    def ingresses_of(self, host: Hostname) -> tuple[NamespacedName, ...]:
        """The Ingresses that say something about a host."""
        return self._indexed(IndexKey(Index.INGRESSES_OF_HOST, host))

    def slices_of(self, service: NamespacedName) -> tuple[NamespacedName, ...]:
        """The EndpointSlices of a Service."""
        return self._indexed(IndexKey(Index.SLICES_OF_SERVICE, service))

    def pods_of(self, endpoint_slice: EndpointSlice) -> dict[str, Pod]:
        """The pods of a slice that carry an annotation of ours, by name; usually none.

        They are read as a part of the slice: a change of a pod counts as a change of the slices that name it (`touched_by`), so
        that fifty thousand pods with nothing to say cost no note each.
        """
        self.reads[Change(EndpointSlice, endpoint_slice.key)] = None
        if not self._snapshot.has(Pod):
            return {}
        namespace = endpoint_slice.metadata.namespace
        targets = {one.target_ref.name for one in endpoint_slice.endpoints or () if one.target_ref}
        found = ((name, self._snapshot.find(Pod, NamespacedName(namespace, name))) for name in targets)
        return {name: pod for name, pod in found if pod is not None}

    def ask(self, unit: Unit[T]) -> T:
        """The outcome of a unit of a lower layer; when it changes, the one who asks runs again."""
        self.reads[unit] = None
        outcome: T = self._outcome_of(unit)
        return outcome

    def need(self, unit: Unit[Any]) -> None:
        """Keeps a unit in the translation without reading it, so that its changes do not run the one who needs it."""
        self.needs[unit] = None

    def _indexed(self, entry: IndexKey) -> tuple[NamespacedName, ...]:
        self.reads[entry] = None
        return self._snapshot.indexed(entry)
