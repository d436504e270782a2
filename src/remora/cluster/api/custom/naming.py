"""Which of a definition's names it gets, and what its status says about that (`apiextensions` naming controller). Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from remora.cluster.api.custom.rows import is_established

Object = dict[str, Any]

_SINGLE = (
    ("plural", "PluralConflict"),
    ("singular", "SingularConflict"),
    ("kind", "KindConflict"),
    ("listKind", "ListKindConflict"),
)

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer of a definition whose objects are still to be deleted."""


def terminating(definition: Object, *, now: str) -> Object:
    """The status of a definition that is being deleted."""
    status = definition.get("status") or {}
    why = "CustomResource deletion is pending"
    condition = {"type": "Terminating", "status": "True", "reason": "InstanceDeletionPending", "message": why}
    others = [found for found in status.get("conditions") or () if found["type"] != "Terminating"]
    return {**status, "conditions": [*others, {**condition, "lastTransitionTime": now}]}


def decide_status(definition: Object, others: Iterable[Object], *, now: str) -> Object:
    """The definition's status, given the other definitions of its group; `now` is RFC 3339."""
    status = definition.get("status") or {}
    wanted = definition["spec"]["names"]
    resources, kinds = _taken(others)
    before = status.get("acceptedNames") or {}
    accepted, conflicts = dict(before), []
    for name, reason in _SINGLE:
        taken = kinds if name in ("kind", "listKind") else resources
        if wanted.get(name) in taken:
            conflicts.append((reason, f"{_quoted(wanted[name])} is already in use"))
        else:
            accepted[name] = wanted.get(name, "")
    refused = [name for name in wanted.get("shortNames") or () if name in resources]
    if refused:
        conflicts.append(("ShortNamesConflict", ", ".join(f"{_quoted(name)} is already in use" for name in refused)))
    else:
        _copy_list(accepted, wanted, "shortNames")
    _copy_list(accepted, wanted, "categories")
    return {**status, "acceptedNames": accepted, "conditions": _conditions(definition, conflicts, now)}


def _copy_list(accepted: Object, wanted: Object, name: str) -> None:
    accepted.pop(name, None)
    if wanted.get(name):
        accepted[name] = wanted[name]


def _quoted(text: str) -> str:
    return f'"{text}"'


def _taken(others: Iterable[Object]) -> tuple[set[str], set[str]]:
    """The names of resources and of kinds that others have."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        names = (other.get("status") or {}).get("acceptedNames") or {}
        resources |= {names.get("plural", ""), names.get("singular", ""), *(names.get("shortNames") or ())}
        kinds |= {names.get("kind", ""), names.get("listKind", "")}
    return resources - {""}, kinds - {""}


def _conditions(definition: Object, conflicts: list[tuple[str, str]], now: str) -> list[Object]:
    wanted = dict(_wanted_conditions(definition, conflicts))
    found = {old["type"]: old for old in (definition.get("status") or {}).get("conditions") or ()}
    merged = {}
    for type_, new in wanted.items():
        old = found.get(type_)
        is_same = old is not None and old["status"] == new["status"]
        merged[type_] = {"type": type_, **new, "lastTransitionTime": old["lastTransitionTime"] if old and is_same else now}
    return [merged.get(type_, old) for type_, old in found.items()] + [
        new for type_, new in merged.items() if type_ not in found
    ]


def _wanted_conditions(definition: Object, conflicts: list[tuple[str, str]]) -> Iterator[tuple[str, Object]]:
    if conflicts:
        reason, message = conflicts[-1][0], "; ".join(message for _, message in conflicts)
        yield "NamesAccepted", {"status": "False", "reason": reason, "message": message}
    else:
        yield "NamesAccepted", {"status": "True", "reason": "NoConflicts", "message": "no conflicts found"}
    if is_established(definition) or not conflicts:
        message = "the initial names have been accepted"
        yield "Established", {"status": "True", "reason": "InitialNamesAccepted", "message": message}
    else:
        yield "Established", {"status": "False", "reason": "NotAccepted", "message": "not all names are accepted"}
