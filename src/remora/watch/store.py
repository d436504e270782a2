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


_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Where `kubectl apply` keeps the whole object once more."""


def kept_part(obj: KubernetesObject) -> KubernetesObject:
    """The object without what nobody reads, which of ten thousand is tens of megabytes."""
    return msgspec.structs.replace(obj, metadata=_kept_metadata(obj))


def _kept_metadata(obj: KubernetesObject) -> ObjectMeta:
    meta = obj.metadata
    match obj:
        case EndpointSlice():
            name = meta.labels.get(SERVICE_NAME_LABEL)
            return ObjectMeta(meta.name, meta.namespace, labels={SERVICE_NAME_LABEL: name} if name else {})
        case Pod(session_drain=drain):
            # Much is written on pods, also by us; nobody is to be translated anew for it.
            annotations = {} if drain is None else {SESSION_DRAIN: drain}
            return ObjectMeta(meta.name, meta.namespace, meta.uid, annotations=annotations)
        case _:
            annotations = meta.annotations
            if _LAST_APPLIED in annotations:
                annotations = {key: text for key, text in annotations.items() if key != _LAST_APPLIED}
            return ObjectMeta(
                meta.name,
                meta.namespace,
                meta.uid,
                creation_timestamp=meta.creation_timestamp,
                deletion_timestamp=meta.deletion_timestamp,
                annotations=annotations,
            )


def _read_part(obj: KubernetesObject) -> KubernetesObject:
    """The object without what routing does not read: the status of an Ingress, which it is told."""
    part = kept_part(obj)
    return msgspec.structs.replace(part, status=IngressStatus()) if isinstance(part, Ingress) else part


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
        told = ((name, before.find(kind, name), obj and kept_part(obj)) for name, obj in objects.items())
        # What is equal stays the known object: a list that tells nothing new is to make none of before superfluous.
        others = [(name, known, obj) for name, known, obj in told if known != obj]
        changes = tuple(Change(kind, name) for name, known, obj in others if not is_same(known, obj))
        if others:
            self.snapshot = before.changed(kind, {name: obj for name, _, obj in others})
        self._changes.update(dict.fromkeys(changes))
        return changes
