"""The history of a pod template as ControllerRevisions, from which `kubectl rollout history` and `undo` read. Pure.

A revision holds a strategic merge patch that sets the template, because that is what kubectl applies. A template that returns
takes its old revision, with a new number.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from remora.cluster.controllers.actions import Action, Create, Delete, Update, delete, update_status
from remora.cluster.controllers.ownership import claims, owned
from remora.cluster.controllers.revision import template_hash
from remora.cluster.objects import Object, annotations_of, controller_reference, is_terminating, labels_of

REVISIONS = "controllerrevisions.apps"
POD_LABEL = "controller-revision-hash"
"""The label by which a pod says of which revision it is: the hash (DaemonSet) or the revision's name (StatefulSet)."""
_HASH_LABELS = {"DaemonSet": POD_LABEL, "StatefulSet": "controller.kubernetes.io/hash"}
_DEFAULT_LIMIT = 10
_NOT_COPIED = "kubectl.kubernetes.io/last-applied-configuration"


class History(msgspec.Struct, frozen=True):
    """The revisions of one object, oldest first. `due` is what has to be done before `newest` is that of the template."""

    revisions: tuple[Object, ...]
    due: tuple[Action, ...]
    collisions: int

    @property
    def newest(self) -> Object:
        return self.revisions[-1]


def history(owner: Object, revisions: Sequence[Object]) -> History:
    """`revisions` are all of the namespace, since one of another owner may have taken the name."""
    collisions = int((owner.get("status") or {}).get("collisionCount") or 0)
    own = sorted(owned(owner, revisions), key=lambda found: (number_of(found), found["metadata"]["name"]))
    if adopted := claims(owner, REVISIONS, revisions):
        return History(tuple(own), adopted, collisions)
    wanted = data_of(owner)
    equal = [found for found in own if found.get("data") == wanted]
    number = max(map(number_of, own), default=0) + 1
    if not equal:
        names = {found["metadata"]["name"] for found in revisions}
        while _name(owner, collisions) in names:
            collisions += 1
        return History(tuple(own), (Create(REVISIONS, _new(owner, number, collisions)),), collisions)
    if equal[-1] is not own[-1]:
        return History(tuple(own), (Update(REVISIONS, {**equal[-1], "revision": number}),), collisions)
    return History(tuple(own), (), collisions)


def due(owner: Object, resource: str, found: History) -> tuple[Action, ...]:
    """What has to be done before anything else, with the collision noted that it passed over."""
    if is_terminating(owner):
        return ()
    status = owner.get("status") or {}
    noted = {**status, "collisionCount": found.collisions} if found.collisions else status
    return (*found.due, *update_status(resource, owner, noted))


def data_of(owner: Mapping[str, Any]) -> Object:
    """The patch that makes an object's template what it is now."""
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def template_of(revision: Mapping[str, Any]) -> Object:
    return {name: value for name, value in revision["data"]["spec"]["template"].items() if name != "$patch"}


def number_of(revision: Mapping[str, Any]) -> int:
    return int(revision.get("revision") or 0)


def name_of(revision: Mapping[str, Any]) -> str:
    return str(revision["metadata"]["name"])


def hash_of(revision: Mapping[str, Any]) -> str:
    labels = labels_of(revision)
    return next((labels[name] for name in _HASH_LABELS.values() if name in labels), "")


def obsolete(owner: Mapping[str, Any], found: History, used: Collection[str]) -> tuple[Delete, ...]:
    """Revisions beyond `spec.revisionHistoryLimit`, the oldest first, but none whose name is in `used`."""
    limit = owner["spec"].get("revisionHistoryLimit")
    unused = [revision for revision in found.revisions[:-1] if name_of(revision) not in used]
    surplus = len(unused) - (_DEFAULT_LIMIT if limit is None else int(limit))
    return tuple(delete(REVISIONS, revision) for revision in unused[: max(0, surplus)])


def _hash(owner: Mapping[str, Any], collisions: int) -> str:
    return template_hash(owner["spec"]["template"], collisions=collisions)


def _name(owner: Mapping[str, Any], collisions: int) -> str:
    return f"{owner['metadata']['name'][:223]}-{_hash(owner, collisions)}"


def _new(owner: Mapping[str, Any], number: int, collisions: int) -> Object:
    labels = (owner["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": _name(owner, collisions),
            "namespace": owner["metadata"]["namespace"],
            "labels": {**labels, _HASH_LABELS[owner["kind"]]: _hash(owner, collisions)},
            "annotations": {name: text for name, text in annotations_of(owner).items() if name != _NOT_COPIED},
            "ownerReferences": [controller_reference(owner)],
        },
        "data": data_of(owner),
        "revision": number,
    }
