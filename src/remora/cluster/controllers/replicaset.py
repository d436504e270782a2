"""ReplicaSets, and ReplicationControllers, which are the same but for their selector: as many pods of one template as
`spec.replicas` says."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from remora.cluster.api.errors import ApiError
from remora.cluster.api.registry import Registry
from remora.cluster.controllers.actions import Action, Create, Decision, Note, delete, update_status
from remora.cluster.controllers.ownership import claims, owned
from remora.cluster.controllers.pods import deletion_order, is_available, min_ready_seconds, next_availability, pod_of
from remora.cluster.controllers.rollout import replicas_of
from remora.cluster.controllers.workload import WorkloadController
from remora.cluster.events import Events
from remora.cluster.objects import (
    Object,
    condition,
    is_active,
    is_ready,
    is_terminating,
    labels_of,
    render_time,
    with_conditions,
)
from remora.cluster.objects import now as current_time

REPLICASETS = "replicasets.apps"
REPLICATION_CONTROLLERS = "replicationcontrollers"
_RESOURCES = {"ReplicaSet": REPLICASETS, "ReplicationController": REPLICATION_CONTROLLERS}
_BURST = 500
"""Pods created or deleted in one step (Kubernetes `BurstReplicas`)."""
_FAILURE = "ReplicaFailure"


def decide(replicaset: Object, pods: Sequence[Object], *, now: datetime) -> Decision:
    """What to do so that the right number of pods is there; `pods` are those of the namespace."""
    if claimed := claims(replicaset, "pods", pods):
        return Decision(claimed)
    everything = owned(replicaset, pods)
    own = [pod for pod in everything if is_active(pod)]
    actions: tuple[Action, ...] = () if is_terminating(replicaset) else _resize(replicaset, own)
    wanted = status(replicaset, own, terminating=sum(map(is_terminating, everything)), now=now)
    again_in = next_availability(own, min_ready_seconds(replicaset), now=now)
    return Decision((*actions, *update_status(_RESOURCES[replicaset["kind"]], replicaset, wanted)), again_in)


def status(
    replicaset: Mapping[str, Any], active: Sequence[Object], *, terminating: int, now: datetime, failure: str = ""
) -> Object:
    """The whole `status`; `failure` is why a pod was refused just now."""
    labels = ((replicaset["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}
    min_ready = min_ready_seconds(replicaset)
    counts = {
        "fullyLabeledReplicas": sum(labels.items() <= labels_of(pod).items() for pod in active),
        "readyReplicas": sum(map(is_ready, active)),
        "availableReplicas": sum(is_available(pod, min_ready, now=now) for pod in active),
    }
    if replicaset["kind"] == "ReplicaSet":
        counts["terminatingReplicas"] = terminating
    result: Object = {"replicas": len(active), "observedGeneration": replicaset["metadata"].get("generation", 0)}
    result |= {name: count for name, count in counts.items() if count}
    if conditions := _conditions(replicaset, active, failure=failure, now=now):
        result["conditions"] = conditions
    return result


def _conditions(replicaset: Mapping[str, Any], active: Sequence[Object], *, failure: str, now: datetime) -> list[Object]:
    """That pods are refused stays true until there are enough of them."""
    before = (replicaset.get("status") or {}).get("conditions") or []
    if failure:
        found = {
            "type": _FAILURE,
            "status": "True",
            "reason": "FailedCreate",
            "message": failure,
            "lastTransitionTime": render_time(now),
        }
        return with_conditions(before, [found])
    if condition(replicaset, _FAILURE) and len(active) >= replicas_of(replicaset):
        return [found for found in before if found["type"] != _FAILURE]
    return list(before)


def _resize(replicaset: Object, own: Sequence[Object]) -> tuple[Action, ...]:
    missing = replicas_of(replicaset) - len(own)
    if missing > 0:
        note = Note(replicaset, "SuccessfulCreate", "Created pod: {name}")
        return (Create("pods", pod_of(replicaset, replicaset["spec"]["template"]), note),) * min(missing, _BURST)
    surplus = deletion_order(own)[: min(-missing, _BURST)]
    return tuple(
        delete("pods", pod, Note(replicaset, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")) for pod in surplus
    )


def refused(replicaset: Object, pods: Sequence[Object], error: ApiError, *, now: datetime) -> tuple[Action, ...]:
    """What is told when a pod was refused. Nothing was tried after the first one: what the API server says of one pod of a
    template it would say of all, and Kubernetes' slow start (1, 2, 4, ...) exists to spare it that."""
    if any(cause.reason == "NamespaceTerminating" for cause in error.causes):
        return ()
    own = owned(replicaset, pods)
    active = [pod for pod in own if is_active(pod)]
    leaving = sum(map(is_terminating, own))
    after = status(replicaset, active, terminating=leaving, now=now, failure=error.message)
    note = Note(replicaset, "FailedCreate", f"Error creating: {error.message}", "Warning")
    return (note, *update_status(_RESOURCES[replicaset["kind"]], replicaset, after))


class ReplicaSetController(WorkloadController):
    """Keeps the pods of every object of one of the two kinds as `decide` says."""

    def __init__(self, *, registry: Registry, events: Events, resource: str = REPLICASETS) -> None:
        component = "replicaset-controller" if resource == REPLICASETS else "replication-controller"
        super().__init__(registry=registry, events=events, resource=resource, component=component)

    def decide(self, obj: Object) -> Decision:
        return decide(obj, self.pods_of(obj), now=current_time())

    def after_refusal(self, obj: Object, error: ApiError) -> tuple[Action, ...]:
        return refused(obj, self.pods_of(obj), error, now=current_time())
