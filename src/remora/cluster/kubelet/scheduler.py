"""Gives pods to the one node, at once, or says why it does not."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from remora.cluster.addresses import NODE_NAME
from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.actions import Action, Note, Update, carry_out, update_status
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.events import Events
from remora.cluster.kubelet.node import why_not
from remora.cluster.objects import Object, is_terminating, key_of, labels_of, render_time, with_conditions
from remora.cluster.objects import now as current_time
from remora.core.names import NamespacedName

COMPONENT = "default-scheduler"


def decide(pod: Object, node: Mapping[str, Any], *, now: datetime) -> tuple[Action, ...]:
    """Binds the pod (`spec.nodeName`), or notes in its status what keeps it from running."""
    if not is_to_schedule(pod):
        return ()
    if pod["spec"].get("schedulingGates"):
        return _unscheduled(pod, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates", now=now)
    if why := why_not(pod, node):
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
    """Binds pods as they come, and looks at the waiting ones again when the node's labels or `unschedulable` change."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        self._registry = registry
        self._events = events
        self._loop: Loop[NamespacedName] = Loop("scheduler", self._reconcile)
        self._node_facts: tuple[object, ...] = ()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(follow(self._registry, "pods", self._pod_changed))
            group.create_task(follow(self._registry, "nodes", self._node_changed))

    def _pod_changed(self, event: WatchEvent) -> None:
        if event.type != "DELETED" and is_to_schedule(event.object):
            self._loop.add(key_of(event.object))

    def _node_changed(self, event: WatchEvent) -> None:
        facts = (dict(labels_of(event.object)), (event.object.get("spec") or {}).get("unschedulable"))
        if facts != self._node_facts:
            self._node_facts = facts
            for pod in self._registry.list("pods")[0]:
                if is_to_schedule(pod):
                    self._loop.add(key_of(pod))

    async def _reconcile(self, key: NamespacedName) -> float | None:
        pod = self._registry.find("pods", key.namespace, key.name)
        node = self._registry.find("nodes", "", NODE_NAME)
        if pod is not None and node is not None:
            actions = decide(pod, node, now=current_time())
            await carry_out(actions, registry=self._registry, events=self._events, component=COMPONENT)
        return None
