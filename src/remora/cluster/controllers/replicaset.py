"""ReplicaSets: as many pods of one template as `spec.replicas` says."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.actions import Action, Create, Decision, Note, Update, carry_out, delete, update_status
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.controllers.rollout import replicas_of
from remora.cluster.events import Events
from remora.cluster.objects import (
    Object,
    annotations_of,
    condition,
    controller_of,
    controller_reference,
    is_active,
    is_controlled_by,
    is_ready,
    is_terminating,
    key_of,
    labels_of,
    parse_time,
    selector_matches,
    uid_of,
    with_metadata,
)
from remora.cluster.objects import now as current_time
from remora.core.names import NamespacedName

COMPONENT = "replicaset-controller"
REPLICASETS = "replicasets.apps"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_BURST = 500
"""Pods created or deleted in one step (Kubernetes `BurstReplicas`)."""
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def decide(replicaset: Object, pods: Sequence[Object], *, now: datetime) -> Decision:
    """What to do so that the right number of pods is there; `pods` are those of the namespace."""
    adopted = tuple(_adopt(replicaset, pod) for pod in pods if _is_adoptable(replicaset, pod))
    released = tuple(_release(replicaset, pod) for pod in pods if _is_to_release(replicaset, pod))
    if adopted or released:
        return Decision(adopted + released)
    own = [pod for pod in pods if is_controlled_by(pod, replicaset) and is_active(pod)]
    actions: tuple[Action, ...] = () if is_terminating(replicaset) else _resize(replicaset, own)
    own_and_leaving = [pod for pod in pods if is_controlled_by(pod, replicaset) and is_terminating(pod)]
    wanted = status(replicaset, own, terminating=len(own_and_leaving), now=now)
    return Decision((*actions, *update_status(REPLICASETS, replicaset, wanted)), _next_availability(replicaset, own, now=now))


def status(replicaset: Mapping[str, Any], active: Sequence[Object], *, terminating: int, now: datetime) -> Object:
    labels = replicaset["spec"]["template"].get("metadata", {}).get("labels") or {}
    ready = [pod for pod in active if is_ready(pod)]
    counts = {
        "fullyLabeledReplicas": sum(labels.items() <= labels_of(pod).items() for pod in active),
        "readyReplicas": len(ready),
        "availableReplicas": sum(_seconds_to_availability(replicaset, pod, now=now) <= 0 for pod in ready),
        "terminatingReplicas": terminating,
    }
    result: Object = {"replicas": len(active), "observedGeneration": replicaset["metadata"].get("generation", 0)}
    result |= {name: count for name, count in counts.items() if count}
    if conditions := (replicaset.get("status") or {}).get("conditions"):
        result["conditions"] = conditions
    return result


def deletion_order(pods: Sequence[Object]) -> list[Object]:
    """Those to delete first in front (Kubernetes `ActivePodsWithRanks`): pending, not ready, cheap, restarted most often, ready
    for the shortest time, newest."""
    newest_first = sorted(
        pods, key=lambda pod: (pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"]), reverse=True
    )
    latest_ready_first = sorted(newest_first, key=_ready_since, reverse=True)
    return sorted(latest_ready_first, key=_rank)


def pod_of(replicaset: Mapping[str, Any]) -> Object:
    """A new pod of the template."""
    template = replicaset["spec"]["template"]
    metadata = template.get("metadata") or {}
    kept = {part: metadata[part] for part in ("labels", "annotations", "finalizers") if metadata.get(part)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **kept,
            "generateName": f"{replicaset['metadata']['name']}-",
            "namespace": replicaset["metadata"]["namespace"],
            "ownerReferences": [controller_reference(replicaset)],
        },
        "spec": template["spec"],
    }


def _resize(replicaset: Object, own: Sequence[Object]) -> tuple[Action, ...]:
    missing = replicas_of(replicaset) - len(own)
    if missing > 0:
        note = Note(replicaset, "SuccessfulCreate", "Created pod: {name}")
        return (Create("pods", pod_of(replicaset), note),) * min(missing, _BURST)
    surplus = deletion_order(own)[: min(-missing, _BURST)]
    return tuple(
        delete("pods", pod, Note(replicaset, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")) for pod in surplus
    )


def _rank(pod: Mapping[str, Any]) -> tuple[bool, int, bool, int, int]:
    restarts = max((c.get("restartCount", 0) for c in (pod.get("status") or {}).get("containerStatuses") or ()), default=0)
    return (
        bool(pod["spec"].get("nodeName")),
        _PHASES.get((pod.get("status") or {}).get("phase", "Pending"), 0),
        is_ready(pod),
        _cost(pod),
        -restarts if is_ready(pod) else 0,
    )


def _cost(pod: Mapping[str, Any]) -> int:
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _ready_since(pod: Mapping[str, Any]) -> str:
    return (condition(pod, "Ready") or {}).get("lastTransitionTime") or "" if is_ready(pod) else ""


def _seconds_to_availability(replicaset: Mapping[str, Any], pod: Mapping[str, Any], *, now: datetime) -> float:
    minimum = replicaset["spec"].get("minReadySeconds") or 0
    since = _ready_since(pod)
    if not minimum or not since:
        return 0.0
    return float(minimum - (now - parse_time(since)).total_seconds())


def _next_availability(replicaset: Mapping[str, Any], own: Sequence[Object], *, now: datetime) -> float | None:
    waits = [_seconds_to_availability(replicaset, pod, now=now) for pod in own if is_ready(pod)]
    return min((wait for wait in waits if wait > 0), default=None)


def _is_adoptable(replicaset: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    return (
        controller_of(pod) is None
        and is_active(pod)
        and not is_terminating(replicaset)
        and selector_matches(replicaset["spec"].get("selector"), labels_of(pod))
    )


def _is_to_release(replicaset: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """A pod whose labels were taken away is somebody's to look at; it no longer counts."""
    return (
        is_controlled_by(pod, replicaset)
        and not is_terminating(pod)
        and not is_terminating(replicaset)
        and not selector_matches(replicaset["spec"].get("selector"), labels_of(pod))
    )


def _adopt(replicaset: Object, pod: Object) -> Action:
    references = [*(pod["metadata"].get("ownerReferences") or ()), controller_reference(replicaset)]
    return Update("pods", with_metadata(pod, ownerReferences=references))


def _release(replicaset: Object, pod: Object) -> Action:
    references = [r for r in pod["metadata"].get("ownerReferences") or () if r.get("uid") != uid_of(replicaset)]
    return Update("pods", with_metadata(pod, ownerReferences=references))


class ReplicaSetController:
    """Keeps every ReplicaSet's pods as `decide` says."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        self._registry = registry
        self._events = events
        self._loop: Loop[NamespacedName] = Loop("replicaset", self._reconcile)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(follow(self._registry, REPLICASETS, lambda event: self._loop.add(key_of(event.object))))
            group.create_task(follow(self._registry, "pods", self._pod_changed))

    def _pod_changed(self, event: WatchEvent) -> None:
        pod = event.object
        owner = controller_of(pod)
        if owner is not None:
            if owner["kind"] == "ReplicaSet":
                self._loop.add(NamespacedName(pod["metadata"]["namespace"], owner["name"]))
            return
        for replicaset in self._registry.list(REPLICASETS, pod["metadata"]["namespace"])[0]:
            if selector_matches(replicaset["spec"].get("selector"), labels_of(pod)):
                self._loop.add(key_of(replicaset))

    async def _reconcile(self, key: NamespacedName) -> float | None:
        replicaset = self._registry.find(REPLICASETS, key.namespace, key.name)
        if replicaset is None:
            return None
        pods, _ = self._registry.list("pods", key.namespace)
        decision = decide(replicaset, pods, now=current_time())
        await carry_out(decision.actions, registry=self._registry, events=self._events, component=COMPONENT)
        return decision.again_in
