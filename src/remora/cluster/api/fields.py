"""The fields that field selectors may name, for each resource (Kubernetes `GetAttrs` and field label conversions). Pure."""

from collections.abc import Mapping
from typing import Any

from remora.cluster.api.errors import ApiError, bad_request
from remora.cluster.api.resource import Resource
from remora.cluster.api.selectors import Selector

Object = dict[str, Any]

_METADATA = ("metadata.name", "metadata.namespace")

_INVOLVED = tuple(
    f"involvedObject.{part}" for part in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
)
_REGARDING = tuple(
    f"regarding.{part}" for part in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
)

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "events": (*_INVOLVED, *_REGARDING, "reason", "reportingComponent", "reportingController", "source", "type"),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    "jobs.batch": ("status.successful",),
    "replicasets.apps": ("status.replicas",),
    "replicationcontrollers": ("status.replicas",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
}

_NAMES_ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "source": ("source.component", "reportingComponent"),
    "reportingController": ("reportingComponent",),
    "status.successful": ("status.succeeded",),
}
"""Selectable names that are not the path to the value; the first path that has one counts."""


def check_fields(row: Resource, selector: Selector) -> None:
    """Refuses a selector on fields that cannot be selected by.

    Raises:
        ApiError: BadRequest, in Kubernetes' words.
    """
    selectable = row.custom.selectable if row.custom is not None else _FIELDS.get(row.storage, ())
    for requirement in selector.requirements:
        if requirement.key not in (*selectable, *_METADATA):
            if row.custom is not None or selectable:
                raise bad_request(f"field label not supported: {requirement.key}")
            listed = ", ".join(f'"{name}"' for name in _METADATA)
            raise _unknown(requirement.key, listed)


def _unknown(key: str, listed: str) -> ApiError:
    return bad_request(f'"{key}" is not a known field selector: only {listed}')


def matches_fields(obj: Object, selector: Selector) -> bool:
    return not selector.requirements or selector.matches({r.key: _value(obj, r.key) for r in selector.requirements})


def _value(obj: Object, key: str) -> str:
    for path in _NAMES_ELSEWHERE.get(key, (key.replace("regarding.", "involvedObject."),)):
        found = _at(obj, path.split("."))
        if found:
            return found
    return "false" if key in ("spec.unschedulable", "spec.hostNetwork") else ""


def _at(node: Any, path: list[str]) -> str:
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    if isinstance(node, bool):
        return "true" if node else "false"
    if isinstance(node, list):
        return ",".join(str(item.get("ip", item)) if isinstance(item, dict) else str(item) for item in node)
    return "" if node is None else str(node)
