"""From the events of a watch to snapshots and to what changed.

An event whose object is equal to the known one in all that routing reads is no Change: the status that we write ourselves,
the resourceVersion, the annotation in which the endpoints controller counts time.
"""

from collections.abc import Iterable
from enum import Enum

import msgspec

from remora.core.names import NamespacedName
from remora.kube.objects import EndpointSlice, Ingress, KubernetesObject, Pod
from remora.kube.objects.endpointslice import SERVICE_NAME_LABEL
from remora.kube.objects.ingress import IngressStatus
from remora.kube.objects.meta import ObjectMeta
from remora.kube.objects.pod import SESSION_DRAIN
from remora.watch.snapshot import Change, Kind, Snapshot


class EventType(Enum):
    """The types of a watch event that carry an object's state (BOOKMARK and ERROR end in the reflector)."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


def _read_part(obj: KubernetesObject) -> KubernetesObject:
    """The object without what routing does not read."""
    metadata = msgspec.structs.replace(obj.metadata, resource_version="", generation=0)
    if isinstance(obj, EndpointSlice):
        labels = {SERVICE_NAME_LABEL: obj.metadata.labels.get(SERVICE_NAME_LABEL, "")}
        metadata = msgspec.structs.replace(metadata, labels=labels, annotations={})
    if isinstance(obj, Pod):
        # Much is written on pods, also by us; nobody is to be translated anew for it.
        annotations = {SESSION_DRAIN: obj.session_drain or ""}
        return Pod(ObjectMeta(metadata.name, metadata.namespace, metadata.uid, annotations=annotations))
    if isinstance(obj, Ingress):
        return msgspec.structs.replace(obj, metadata=metadata, status=IngressStatus())
    return msgspec.structs.replace(obj, metadata=metadata)


def is_same(before: KubernetesObject | None, after: KubernetesObject | None) -> bool:
    """Whether two states of an object are the same to routing; None is "not there"."""
    if before is None or after is None:
        return before is after
    return before == after or _read_part(before) == _read_part(after)


class Store:
    """The current Snapshot and the Changes since they were last taken."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self._changes: dict[Change, None] = {}

    def apply(self, event: EventType, obj: KubernetesObject) -> Change | None:
        """Takes one event of a watch; the Change, if it is one to routing.

        Events may come twice: what counts is the state that they tell, not the word.
        """
        changes = self._apply(type(obj), {obj.key: None if event is EventType.DELETED else obj})
        return changes[0] if changes else None

    def replace(self, kind: Kind, objects: Iterable[KubernetesObject]) -> tuple[Change, ...]:
        """Takes a complete list of a kind's objects; what is not in it is gone."""
        listed: dict[NamespacedName, KubernetesObject | None] = {obj.key: obj for obj in objects}
        gone = [name for name in self.snapshot.names(kind) if name not in listed]
        return self._apply(kind, listed | dict.fromkeys(gone))

    def take_changes(self) -> tuple[Change, ...]:
        """The Changes since the last call, each once, in the order in which they came first."""
        changes = tuple(self._changes)
        self._changes.clear()
        return changes

    def _apply(self, kind: Kind, objects: dict[NamespacedName, KubernetesObject | None]) -> tuple[Change, ...]:
        before = self.snapshot
        changes = tuple(Change(kind, name) for name, obj in objects.items() if not is_same(before.find(kind, name), obj))
        self.snapshot = before.changed(kind, objects)
        self._changes.update(dict.fromkeys(changes))
        return changes
