"""Gives pods to the one node, at once, or says why it does not."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from remora.cluster.addresses import NODE_NAME
from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.actions import Action, Note, Update, carry_out, update_status
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.events import Events
from remora.cluster.kubelet.fit import Surroundings, claims_of, missing_claims, why_not
from remora.cluster.objects import (
    TERMINAL_PHASES,
    Object,
    is_terminating,
    key_of,
    labels_of,
    parse_time,
    render_time,
    with_conditions,
)
from remora.cluster.objects import now as current_time
from remora.core.names import NamespacedName

COMPONENT = "default-scheduler"
_CLAIMS_TAKE = timedelta(seconds=2)
"""How long a new pod's claims may take to be bound before that is worth an Event."""


def decide(pod: Object, around: Surroundings, *, now: datetime) -> tuple[Action, ...]:
    """Binds the pod (`spec.nodeName`), or notes in its status what keeps it from running."""
    if not is_to_schedule(pod):
        return ()
    if pod["spec"].get("schedulingGates"):
        return _unscheduled(pod, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates", now=now)
    if why := why_not(pod, around):
        noted = _unscheduled(pod, "Unschedulable", why, now=now)
        return (*noted, Note(pod, "FailedScheduling", why, "Warning")) if noted else ()
    bound = {**pod, "spec": {**pod["spec"], "nodeName": NODE_NAME}}
    message = f"Successfully assigned {pod['metadata']['namespace']}/{pod['metadata']['name']} to {NODE_NAME}"
    return (Update("pods", bound, "", Note(pod, "Scheduled", message)),)


def is_to_schedule(pod: Mapping[str, Any]) -> bool:
    spec = pod["spec"]
    return not spec.get("nodeName") and not is_terminating(pod) and spec.get("schedulerName", COMPONENT) == COMPONENT


def _unscheduled(pod: Object, reason: str, message: str, *, now: datetime) -> tuple[Action, ...]:
    status = pod.get("status") or {}
    wanted = {
        "type": "PodScheduled",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastProbeTime": None,
        "lastTransitionTime": render_time(now),
    }
    conditions = with_conditions(status.get("conditions") or (), [wanted])
    return update_status("pods", pod, {"phase": "Pending", **status, "conditions": conditions})


class Scheduler:
    """Binds pods as they come, and looks at the waiting ones again when the node, a pod that runs or a claim changes."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        self._registry = registry
        self._events = events
        self._loop: Loop[NamespacedName] = Loop("scheduler", self._reconcile)
        self._waiting: set[NamespacedName] = set()
        self._node_facts: tuple[object, ...] = ()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(follow(self._registry, "pods", self._pod_changed))
            group.create_task(follow(self._registry, "nodes", self._node_changed))
            group.create_task(follow(self._registry, "persistentvolumeclaims", self._claim_changed))

    def _pod_changed(self, event: WatchEvent) -> None:
        if event.type != "DELETED" and is_to_schedule(event.object):
            self._loop.add(key_of(event.object))
        elif event.type == "DELETED" or not _occupies(event.object):
            self._look_again()

    def _node_changed(self, event: WatchEvent) -> None:
        spec = event.object.get("spec") or {}
        allocatable = (event.object.get("status") or {}).get("allocatable")
        facts = (dict(labels_of(event.object)), spec.get("unschedulable"), spec.get("taints"), allocatable)
        if facts != self._node_facts:
            self._node_facts = facts
            self._look_again()

    def _claim_changed(self, _: WatchEvent) -> None:
        self._look_again()

    def _look_again(self) -> None:
        for key in self._waiting:
            self._loop.add(key)

    async def _reconcile(self, key: NamespacedName) -> float | None:
        pod = self._registry.find("pods", key.namespace, key.name)
        node = self._registry.find("nodes", "", NODE_NAME)
        self._waiting.discard(key)
        if pod is None or not is_to_schedule(pod):
            return None
        self._waiting.add(key)
        if node is None:
            return None
        moment = current_time()
        around = self._surroundings(node, key.namespace)
        if claims_of(pod) and missing_claims(pod, around) and moment - _created_at(pod) < _CLAIMS_TAKE:
            return _CLAIMS_TAKE.total_seconds()
        actions = decide(pod, around, now=moment)
        await carry_out(actions, registry=self._registry, events=self._events, component=COMPONENT)
        return None

    def _surroundings(self, node: Object, namespace: str) -> Surroundings:
        running = [pod for pod in self._registry.list("pods")[0] if _occupies(pod)]
        return Surroundings(node, running, partial(self._registry.find, "persistentvolumeclaims", namespace))


def _occupies(pod: Mapping[str, Any]) -> bool:
    """Whether a pod takes up room on the node."""
    return bool(pod["spec"].get("nodeName")) and (pod.get("status") or {}).get("phase") not in TERMINAL_PHASES


def _created_at(pod: Mapping[str, Any]) -> datetime:
    return parse_time(pod["metadata"]["creationTimestamp"])
