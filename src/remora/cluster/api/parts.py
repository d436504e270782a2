"""Subresources that change a part of their object: which part, and what of it is refused. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from remora.cluster.api.errors import Cause, forbidden_field

Object = dict[str, Any]

COUNTED = frozenset({"ephemeralcontainers", "resize"})
"""Those that change what `metadata.generation` counts."""


def with_part(before: Object, given: Object, subresource: str) -> Object:
    """What is stored, with that part of it that the subresource may change."""
    return _PARTS[subresource](before, given)


def _status(before: Object, given: Object) -> Object:
    new = _with(before, "status", given.get("status"))
    return new | {"metadata": _status_metadata(given["metadata"], before["metadata"])}


def _finalize(before: Object, given: Object) -> Object:
    return {**before, "spec": given.get("spec") or {}, "metadata": dict(before["metadata"])}


def _approval(before: Object, given: Object) -> Object:
    conditions = (given.get("status") or {}).get("conditions")
    return {**before, "status": _with(before.get("status") or {}, "conditions", conditions)}


def _binding(before: Object, given: Object) -> Object:
    metadata = _with(before["metadata"], "annotations", given["metadata"].get("annotations"))
    spec = {**before["spec"], "nodeName": given["spec"]["nodeName"]}
    return {**before, "metadata": metadata, "spec": spec, "status": given.get("status") or {}}


def _ephemeral(before: Object, given: Object) -> Object:
    containers = (given.get("spec") or {}).get("ephemeralContainers")
    return {**before, "spec": _with(before["spec"], "ephemeralContainers", containers)}


def _resize(before: Object, given: Object) -> Object:
    spec = dict(before["spec"])
    for group in ("containers", "initContainers"):
        wanted = {item.get("name"): item for item in (given.get("spec") or {}).get(group) or ()}
        if group in spec:
            spec[group] = [_resized(container, wanted.get(container["name"], container)) for container in spec[group]]
    return {**before, "spec": spec}


def _resized(container: Object, wanted: Object) -> Object:
    resized = _with(container, "resources", wanted.get("resources"))
    return _with(resized, "resizePolicy", wanted.get("resizePolicy"))


_PARTS: Mapping[str, Callable[[Object, Object], Object]] = {
    "approval": _approval,
    "binding": _binding,
    "ephemeralcontainers": _ephemeral,
    "finalize": _finalize,
    "resize": _resize,
    "status": _status,
}


def check_part(new: Object, before: Object, subresource: str) -> Iterator[Cause]:
    """What may not become of a part."""
    if subresource != "ephemeralcontainers":
        return
    given = {item.get("name"): item for item in new["spec"].get("ephemeralContainers") or ()}
    for container in before["spec"].get("ephemeralContainers") or ():
        name = container["name"]
        if name not in given:
            yield forbidden_field("spec.ephemeralContainers", f'existing ephemeral containers "{name}" may not be removed\n')
        elif given[name] != container:
            yield forbidden_field("spec.ephemeralContainers", f'existing ephemeral containers "{name}" may not be changed\n')


def _with(obj: Object, key: str, value: Any) -> Object:
    rest = {name: part for name, part in obj.items() if name != key}
    return rest if value is None else rest | {key: value}


def _status_metadata(given: Object, before: Object) -> Object:
    """Outside the status a status update may note annotations (the Deployment controller's revision) and fields' owners.

    But only one that names the version it read: another may have read the object before somebody else changed these.
    """
    if not given.get("resourceVersion"):
        return before
    for key in ("annotations", "managedFields"):
        before = _with(before, key, given.get(key, before.get(key)))
    return before
