"""Which objects belong to a controller: it adopts what its selector finds and nobody controls, and lets go what no longer fits.

Pure. Kubernetes does the same in `ControllerRefManager`: a selector finds, but only the owner reference decides.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from remora.cluster.controllers.actions import Action, Update
from remora.cluster.objects import (
    Object,
    controller_of,
    controller_reference,
    is_active,
    is_controlled_by,
    is_terminating,
    labels_of,
    selector_matches,
    uid_of,
    with_metadata,
)


def selector_of(owner: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """`spec.selector`; that of a ReplicationController is a plain map of labels."""
    selector: Mapping[str, Any] | None = owner["spec"].get("selector")
    if owner["kind"] == "ReplicationController":
        return {"matchLabels": selector} if selector else None
    return selector


def is_adoptable(owner: Mapping[str, Any], obj: Mapping[str, Any]) -> bool:
    """Whether `owner` may take the object; a finished pod is worth nothing to it."""
    return (
        controller_of(obj) is None
        and is_active(obj)
        and not is_terminating(owner)
        and selector_matches(selector_of(owner), labels_of(obj))
    )


def claims(owner: Object, resource: str, objects: Sequence[Object]) -> tuple[Action, ...]:
    """The adoptions and releases that are due among the objects of the owner's namespace."""
    if is_terminating(owner):
        return ()
    adopted = tuple(adopt(owner, resource, obj) for obj in objects if is_adoptable(owner, obj))
    return adopted + tuple(release(owner, resource, obj) for obj in objects if _is_to_release(owner, obj))


def adopt(owner: Object, resource: str, obj: Object) -> Action:
    references = [*(obj["metadata"].get("ownerReferences") or ()), controller_reference(owner)]
    return Update(resource, with_metadata(obj, ownerReferences=references))


def release(owner: Object, resource: str, obj: Object) -> Action:
    """The object without its owner: its labels were taken away, so it is somebody's to look at and no longer counts."""
    references = [r for r in obj["metadata"].get("ownerReferences") or () if r.get("uid") != uid_of(owner)]
    return Update(resource, with_metadata(obj, ownerReferences=references))


def owned(owner: Mapping[str, Any], objects: Sequence[Object]) -> list[Object]:
    return [obj for obj in objects if is_controlled_by(obj, owner)]


def _is_to_release(owner: Mapping[str, Any], obj: Mapping[str, Any]) -> bool:
    return is_controlled_by(obj, owner) and not is_terminating(obj) and not selector_matches(selector_of(owner), labels_of(obj))
