"""The status of a Deployment, worded as Kubernetes words it, because `kubectl rollout status` and people read it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from remora.cluster.controllers.rollout import Limits, available_of, replicas_of
from remora.cluster.objects import Object, condition, parse_time, render_time, with_conditions

_DEFAULT_DEADLINE = 600
_NO_DEADLINE = 2**31 - 1
"""`progressDeadlineSeconds` of one who wants none (apps/v1beta1's default)."""
_FAILURE = "ReplicaFailure"
_RESUMED = "Deployment is resumed"
_UNDER_WAY = ("NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated", "DeploymentResumed")


def status(
    deployment: Mapping[str, Any], new: Object | None, replicasets: Sequence[Object], *, bounds: Limits, now: datetime
) -> Object:
    """The whole `status` for these ReplicaSets, of which `new` has the current template."""
    total, available = _sum(replicasets, "replicas"), _sum(replicasets, "availableReplicas")
    counts = {
        "replicas": total,
        "updatedReplicas": _sum([new] if new else [], "replicas"),
        "readyReplicas": _sum(replicasets, "readyReplicas"),
        "availableReplicas": available,
        # As in Kubernetes this counts from what is wanted while scaling up, so it is never negative.
        "unavailableReplicas": max(0, sum(map(replicas_of, replicasets)) - available),
        "terminatingReplicas": _sum(replicasets, "terminatingReplicas"),
    }
    before = deployment.get("status") or {}
    wanted = [_unless_same(condition(deployment, "Available"), _available(bounds, available, now))]
    progressing = _progressing(deployment, new, counts, bounds=bounds, now=now)
    if progressing is not None and _deadline(deployment) != _NO_DEADLINE:
        wanted.append(progressing)
    failure = _failure(deployment, [*([new] if new else ()), *replicasets], now)
    if failure is not None:
        wanted.append(failure)
    kept = [found for found in before.get("conditions") or () if found["type"] != _FAILURE or failure is not None]
    result: Object = {"observedGeneration": deployment["metadata"].get("generation", 0)}
    result |= {name: count for name, count in counts.items() if count}
    result["conditions"] = with_conditions(kept, wanted)
    if "collisionCount" in before:
        result["collisionCount"] = before["collisionCount"]
    return result


def seconds_to_deadline(deployment: Mapping[str, Any], current: Mapping[str, Any], *, now: datetime) -> float | None:
    """When the rollout is to be called stuck, if nothing happens until then; None if it is not under way."""
    found = condition({"status": current}, "Progressing")
    if found is None or found.get("reason") not in _UNDER_WAY:
        return None
    return max(0.05, _deadline(deployment) - (now - parse_time(found["lastUpdateTime"])).total_seconds() + 1)


def is_complete(counts: Mapping[str, int], bounds: Limits) -> bool:
    """Whether all wanted pods are of the current template and available, and no other is left."""
    replicas = bounds.replicas
    return counts["updatedReplicas"] == replicas == counts["replicas"] == counts["availableReplicas"]


def _available(bounds: Limits, available: int, now: datetime) -> Object:
    if available >= bounds.min_available:
        return _condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now)
    return _condition("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", now)


def _failure(deployment: Mapping[str, Any], replicasets: Sequence[Object], now: datetime) -> Object | None:
    """That a ReplicaSet's pods are refused, of the current one if it has that trouble."""
    for replicaset in replicasets:
        found = condition(replicaset, _FAILURE)
        if found is not None:
            wanted = _condition(_FAILURE, found["status"], found.get("reason", ""), found.get("message", ""), now)
            return _unless_same(condition(deployment, _FAILURE), wanted)
    return None


def _progressing(
    deployment: Mapping[str, Any], new: Object | None, counts: Mapping[str, int], *, bounds: Limits, now: datetime
) -> Object | None:
    before = condition(deployment, "Progressing")
    if deployment["spec"].get("paused"):
        return _unless_same(before, _condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now))
    if before is not None and before.get("reason") == "DeploymentPaused":
        return _condition("Progressing", "Unknown", "DeploymentResumed", _RESUMED, now)
    if new is None:
        return dict(before) if before else None
    name = new["metadata"]["name"]
    if is_complete(counts, bounds):
        message = f'ReplicaSet "{name}" has successfully progressed.'
        return _unless_same(before, _condition("Progressing", "True", "NewReplicaSetAvailable", message, now))
    if (
        before is not None
        and before.get("reason") == "NewReplicaSetAvailable"
        and counts["replicas"] == counts["updatedReplicas"]
    ):
        return dict(before)  # a pod that fails after the rollout, or scaling, is no rollout
    if before is None:
        return _condition("Progressing", "True", "NewReplicaSetCreated", f'Created new replica set "{name}"', now)
    message = f'ReplicaSet "{name}" is progressing.'
    if _has_progressed(deployment, counts) or before.get("message") not in (message, _timed_out(name), _RESUMED):
        return _condition("Progressing", "True", "ReplicaSetUpdated", message, now)
    if before.get("status") != "False" and (now - parse_time(before["lastUpdateTime"])).total_seconds() > _deadline(deployment):
        return _condition("Progressing", "False", "ProgressDeadlineExceeded", _timed_out(name), now)
    return dict(before)


def _has_progressed(deployment: Mapping[str, Any], counts: Mapping[str, int]) -> bool:
    """Whether there are more updated, ready or available pods than before, or fewer old ones."""
    before = deployment.get("status") or {}
    if any(counts[name] > before.get(name, 0) for name in ("updatedReplicas", "readyReplicas", "availableReplicas")):
        return True
    old_before = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    return bool(counts["replicas"] - counts["updatedReplicas"] < old_before)


def _deadline(deployment: Mapping[str, Any]) -> int:
    return int(deployment["spec"].get("progressDeadlineSeconds") or _DEFAULT_DEADLINE)


def _timed_out(name: str) -> str:
    return f'ReplicaSet "{name}" has timed out progressing.'


def _unless_same(before: Mapping[str, Any] | None, wanted: Object) -> Object:
    """The condition from before if it says the same, so that its `lastUpdateTime` stays and nothing is written."""
    same = before is not None and all(before.get(part) == wanted[part] for part in ("status", "reason", "message"))
    return dict(before) if before is not None and same else wanted


def _condition(type_: str, status_: str, reason: str, message: str, now: datetime) -> Object:
    return {
        "type": type_,
        "status": status_,
        "reason": reason,
        "message": message,
        "lastUpdateTime": render_time(now),
        "lastTransitionTime": render_time(now),
    }


def _sum(replicasets: Sequence[Object], field: str) -> int:
    if field == "availableReplicas":
        return sum(map(available_of, replicasets))
    return sum(int((rs.get("status") or {}).get(field) or 0) for rs in replicasets)
