"""What the cluster's controllers and the kubelet read from many kinds: owners, conditions, label selectors, times. Pure.

Objects are JSON objects as the API serves them; nobody changes one that was handed over.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from remora.core.names import NamespacedName

Object = dict[str, Any]

TERMINAL_PHASES = frozenset({"Succeeded", "Failed"})


class Reference(msgspec.Struct, frozen=True, order=True):
    """An object's place in the API: resource as the registry names it, namespace ("" if cluster-scoped) and name."""

    resource: str
    namespace: str
    name: str


def key_of(obj: Mapping[str, Any]) -> NamespacedName:
    metadata = obj["metadata"]
    return NamespacedName(metadata.get("namespace", ""), metadata["name"])


def uid_of(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"].get("uid", ""))


def labels_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return obj["metadata"].get("annotations") or {}


def is_terminating(obj: Mapping[str, Any]) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def controller_of(obj: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The owner reference of the one controller, or None (`metadata.ownerReferences[].controller`)."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            found: Mapping[str, Any] = reference
            return found
    return None


def is_controlled_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == uid_of(owner)


def controller_reference(owner: Mapping[str, Any]) -> Object:
    """The owner reference by which `owner` controls another object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Mapping[str, Any], type_: str) -> Mapping[str, Any] | None:
    for found in (obj.get("status") or {}).get("conditions") or ():
        if found.get("type") == type_:
            result: Mapping[str, Any] = found
            return result
    return None


def is_ready(pod: Mapping[str, Any]) -> bool:
    found = condition(pod, "Ready")
    return found is not None and found.get("status") == "True"


def is_active(pod: Mapping[str, Any]) -> bool:
    """Whether a pod counts for the one that wants it: not finished and not being deleted."""
    return (pod.get("status") or {}).get("phase") not in TERMINAL_PHASES and not is_terminating(pod)


def with_metadata(obj: Mapping[str, Any], **fields: Any) -> Object:
    """A copy with these fields of `metadata` instead. Empty ones are left out, as Kubernetes leaves them out."""
    kept = {name: value for name, value in obj["metadata"].items() if name not in fields}
    return {**obj, "metadata": {**kept, **{name: value for name, value in fields.items() if value}}}


def with_conditions(existing: Iterable[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]]) -> list[Object]:
    """The wanted conditions, with `lastTransitionTime` kept where the status did not change; others stay as they are."""
    before = {found["type"]: found for found in existing}
    merged = {type_: dict(found) for type_, found in before.items()}
    for new in wanted:
        old = before.get(new["type"])
        merged[new["type"]] = dict(new)
        if old is not None and old.get("status") == new.get("status") and "lastTransitionTime" in old:
            merged[new["type"]]["lastTransitionTime"] = old["lastTransitionTime"]
    return list(merged.values())


def selector_matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """A `LabelSelector` on labels; an empty one matches everything, an absent one nothing."""
    if selector is None:
        return False
    if any(labels.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_matches(rule, labels) for rule in selector.get("matchExpressions") or ())


def _matches(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a requirement is met; one that says nothing sensible never is."""
    meets = _OPERATORS.get(rule.get("operator", ""))
    return meets is not None and meets(rule, labels)


_OPERATORS: dict[str, Callable[[Mapping[str, Any], Mapping[str, str]], bool]] = {
    "In": lambda rule, labels: labels.get(rule.get("key", "")) in (rule.get("values") or ()),
    "NotIn": lambda rule, labels: labels.get(rule.get("key", "")) not in (rule.get("values") or ()),
    "Exists": lambda rule, labels: rule.get("key", "") in labels,
    "DoesNotExist": lambda rule, labels: rule.get("key", "") not in labels,
}


def now() -> datetime:
    return datetime.now(UTC)


def render_time(moment: datetime) -> str:
    """Kubernetes `Time`: RFC 3339 in UTC, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def render_micro_time(moment: datetime) -> str:
    """Kubernetes `MicroTime`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """RFC 3339 to a moment.

    Raises:
        ValueError: it is no such text.
    """
    return datetime.fromisoformat(text)
