"""What a DELETE does to an object: it goes, or it is marked and stays for its finalizers, its kubelet, or its content. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from remora.cluster.api import errors
from remora.cluster.api.custom.naming import CLEANUP, terminating
from remora.cluster.api.custom.rows import DEFINITIONS
from remora.cluster.api.resources import Resource

Object = dict[str, Any]

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
PROPAGATIONS = ("Foreground", "Background", "Orphan")

_PROPAGATION_FINALIZERS = {"Foreground": FOREGROUND, "Orphan": ORPHAN}
_IMMORTAL = frozenset({"default", "kube-system", "kube-public"})
_DEFAULT_GRACE = 30


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`DeleteOptions`; empty text for a precondition that is not set."""

    grace_period_seconds: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: str = "Background"
    dry_run: bool = False


class Decision(msgspec.Struct, frozen=True):
    """The object as it is to be stored, or its last state."""

    object: Object
    is_gone: bool


def check_preconditions(row: Resource, obj: Object, options: Options) -> None:
    """Refuses what Kubernetes refuses before it looks at finalizers.

    Raises:
        ApiError: Conflict for another uid or version, Forbidden for a namespace that must not go.
    """
    metadata = obj["metadata"]
    for name, wanted, found in (
        ("UID", options.uid, metadata["uid"]),
        ("ResourceVersion", options.resource_version, metadata["resourceVersion"]),
    ):
        if wanted and wanted != found:
            why = (
                f"the {name} in the precondition ({wanted}) does not match the {name} in record ({found}). "
                "The object might have been deleted and then recreated"
            )
            # Kubernetes names the kind here where it otherwise names the resource.
            raise errors.conflict(row.kind, metadata["name"], why, group=row.group)
    if row.storage == "namespaces" and metadata["name"] in _IMMORTAL:
        raise errors.forbidden("namespaces", metadata["name"], "this namespace may not be deleted")


def decide(row: Resource, obj: Object, options: Options, *, now: datetime) -> Decision:
    """What the object becomes."""
    metadata = obj["metadata"]
    grace = _grace_period(row, obj, options)
    finalizers = _finalizers(metadata, options)
    if metadata.get("deletionTimestamp") and finalizers == (metadata.get("finalizers") or []):
        return _decide_again(row, obj, grace)
    marked = _marked(row, obj, grace, now=now)
    if row.storage == DEFINITIONS:
        finalizers, marked["status"] = [*finalizers, CLEANUP], terminating(marked, now=_time(now))
    if finalizers:
        marked["metadata"]["finalizers"] = finalizers
    if row.storage == "namespaces":
        marked["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    if is_done(row.storage, marked):
        is_pod = row.storage == "pods"
        return Decision(marked if is_pod else obj, is_gone=True)
    return Decision(marked, is_gone=False)


def _decide_again(row: Resource, obj: Object, grace: int) -> Decision:
    """A DELETE of what is being deleted: the end can only come sooner, counted from the first one."""
    metadata = obj["metadata"]
    earlier_by = metadata.get("deletionGracePeriodSeconds", 0) - grace
    if earlier_by <= 0:
        return Decision(obj, is_gone=is_done(row.storage, obj))
    end = datetime.fromisoformat(metadata["deletionTimestamp"]) - timedelta(seconds=earlier_by)
    sooner = {**obj, "metadata": {**metadata, "deletionTimestamp": _time(end), "deletionGracePeriodSeconds": grace}}
    return Decision(sooner, is_gone=is_done(row.storage, sooner))


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _marked(row: Resource, obj: Object, grace: int, *, now: datetime) -> Object:
    metadata = dict(obj["metadata"])
    metadata["deletionTimestamp"] = _time(now + timedelta(seconds=grace))
    if row.storage != "namespaces":
        metadata["deletionGracePeriodSeconds"] = grace
    if row.has_generation:
        metadata["generation"] = metadata.get("generation", 0) + 1
    return {**obj, "metadata": metadata}


def _grace_period(row: Resource, obj: Object, options: Options) -> int:
    """Only pods have one: somebody must end their processes, unless none can run (pod strategy's `CheckGracefulDelete`)."""
    if row.storage != "pods":
        return 0
    spec = obj.get("spec") or {}
    is_over = (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    if is_over or not spec.get("nodeName"):
        return 0
    if options.grace_period_seconds is not None:
        return max(0, options.grace_period_seconds)
    return int(spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE))


def _finalizers(metadata: Mapping[str, Any], options: Options) -> list[str]:
    kept = list(metadata.get("finalizers") or ())
    wanted = _PROPAGATION_FINALIZERS.get(options.propagation)
    if wanted is None:
        return kept
    others = [name for name in kept if name not in _PROPAGATION_FINALIZERS.values()]
    return [*others, wanted]


def is_done(resource: str, obj: Object) -> bool:
    """Whether nothing holds an object that is being deleted any longer."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if resource == "namespaces":
        return not (obj.get("spec") or {}).get("finalizers")
    return not metadata.get("deletionGracePeriodSeconds")


def check_finalizers(row: Resource, given: Object, before: Object) -> None:
    """What is being deleted takes no new finalizers.

    Raises:
        ApiError: Forbidden.
    """
    added = sorted(set(given.get("finalizers") or ()) - set(before.get("finalizers") or ()))
    if added:
        listed = ", ".join(errors.render_value(name) for name in added)
        detail = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
        cause = errors.forbidden_field("metadata.finalizers", detail)
        raise errors.invalid(row.kind, before["name"], [cause], group=row.group)
