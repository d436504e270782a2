"""Pods that are deleted on a node that does not exist: no kubelet would ever say that their processes have ended.

Kubernetes' pod garbage collector also deletes those that nobody has deleted; here they stay, since a person named that node.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.actions import Action, carry_out, delete
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.events import Events
from remora.cluster.objects import Object, is_terminating, key_of
from remora.core.names import NamespacedName

COMPONENT = "pod-garbage-collector"


def decide(pod: Object, *, has_node: bool) -> tuple[Action, ...]:
    """Ends the wait for a node's word; `has_node` is whether the pod's node exists."""
    return (delete("pods", pod, grace_period_seconds=0),) if _awaits_node(pod) and not has_node else ()


def _awaits_node(pod: Mapping[str, Any]) -> bool:
    return is_terminating(pod) and bool(pod["metadata"].get("deletionGracePeriodSeconds")) and bool(pod["spec"].get("nodeName"))


class PodGarbageCollector:
    """Looks at pods that are deleted, and at all of those when a node goes."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        self._registry = registry
        self._events = events
        self._loop: Loop[NamespacedName] = Loop("pod-garbage", self._reconcile)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(follow(self._registry, "pods", self._pod_changed))
            group.create_task(follow(self._registry, "nodes", self._node_changed))

    def _pod_changed(self, event: WatchEvent) -> None:
        if event.type != "DELETED" and _awaits_node(event.object):
            self._loop.add(key_of(event.object))

    def _node_changed(self, event: WatchEvent) -> None:
        if event.type == "DELETED":
            for pod in self._registry.list("pods")[0]:
                if _awaits_node(pod):
                    self._loop.add(key_of(pod))

    async def _reconcile(self, key: NamespacedName) -> float | None:
        pod = self._registry.find("pods", key.namespace, key.name)
        if pod is not None:
            has_node = self._registry.find("nodes", "", pod["spec"].get("nodeName") or "") is not None
            actions = decide(pod, has_node=has_node)
            await carry_out(actions, registry=self._registry, events=self._events, component=COMPONENT)
        return None
