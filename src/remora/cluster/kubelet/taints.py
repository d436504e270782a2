"""The node's taints: a cordoned node gets its own, and those with the effect NoExecute send pods away.

`taints_of` and `leaves_after` are pure.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from remora.cluster.addresses import NODE_NAME
from remora.cluster.api.errors import ApiError
from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.daemonplacement import UNSCHEDULABLE, tolerates
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.events import Events
from remora.cluster.objects import TERMINAL_PHASES, Object, is_terminating, key_of, now, render_time, uid_of, with_conditions
from remora.core.names import NamespacedName

COMPONENT = "taint-eviction-controller"


def taints_of(node: Mapping[str, Any], *, moment: str) -> list[Object]:
    """The node's taints as they are to be: with the one of a cordoned node, if it is one."""
    spec = node.get("spec") or {}
    others = [dict(taint) for taint in spec.get("taints") or () if not _is_cordon(taint)]
    own = [dict(taint) for taint in spec.get("taints") or () if _is_cordon(taint)]
    return [*others, *(own or [{**UNSCHEDULABLE, "timeAdded": moment}])] if spec.get("unschedulable") else others


def leaves_after(pod: Mapping[str, Any], taints: Sequence[Mapping[str, Any]]) -> float | None:
    """Seconds for which a pod stays on a node with these taints; None if it may stay for ever."""
    limits: list[float] = []
    for taint in taints:
        if taint["effect"] != "NoExecute":
            continue
        found = [toleration for toleration in pod["spec"].get("tolerations") or () if tolerates(toleration, taint)]
        if not found:
            return 0.0
        limits += [max(0.0, float(each["tolerationSeconds"])) for each in found if each.get("tolerationSeconds") is not None]
    return min(limits, default=None)


def _is_cordon(taint: Mapping[str, Any]) -> bool:
    return (taint["key"], taint["effect"]) == (UNSCHEDULABLE["key"], UNSCHEDULABLE["effect"])


class Taints:
    """Keeps the node's own taint, and deletes pods that do not tolerate what is there."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        self._registry = registry
        self._events = events
        self._loop: Loop[NamespacedName] = Loop("taints", self._reconcile)
        self._nodes: Loop[str] = Loop("node taints", self._taint)
        self._taints: list[Object] = []
        self._since: dict[str, float] = {}
        """When each pod was first seen beside a taint that it tolerates for some time only."""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(self._nodes.run())
            group.create_task(follow(self._registry, "nodes", self._node_changed))
            group.create_task(follow(self._registry, "pods", self._pod_changed))

    def _node_changed(self, event: WatchEvent) -> None:
        self._nodes.add(event.object["metadata"]["name"])
        before, self._taints = self._taints, list((event.object.get("spec") or {}).get("taints") or ())
        if before != self._taints:
            for pod in self._registry.list("pods")[0]:
                self._loop.add(key_of(pod))

    def _pod_changed(self, event: WatchEvent) -> None:
        if event.type == "DELETED":
            self._since.pop(uid_of(event.object), None)
        elif self._taints:
            self._loop.add(key_of(event.object))

    async def _taint(self, name: str) -> float | None:
        node = self._registry.find("nodes", "", name)
        wanted = taints_of(node, moment=render_time(now())) if node else []
        if node is not None and wanted != list((node.get("spec") or {}).get("taints") or ()):
            spec = {field: value for field, value in (node.get("spec") or {}).items() if field != "taints"}
            await self._registry.update("nodes", {**node, "spec": {**spec, **({"taints": wanted} if wanted else {})}})
        return None

    async def _reconcile(self, key: NamespacedName) -> float | None:
        pod = self._registry.find("pods", key.namespace, key.name)
        if pod is None or pod["spec"].get("nodeName") != NODE_NAME or is_terminating(pod):
            return None
        if (pod.get("status") or {}).get("phase") in TERMINAL_PHASES:
            return None
        seconds = leaves_after(pod, self._taints)
        if seconds is None:
            self._since.pop(uid_of(pod), None)
            return None
        moment = asyncio.get_running_loop().time()
        remaining = self._since.setdefault(uid_of(pod), moment) + seconds - moment
        if remaining > 0:
            return remaining
        await self._evict(pod, key)
        return None

    async def _evict(self, pod: Object, key: NamespacedName) -> None:
        why = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
            "lastTransitionTime": render_time(now()),
        }
        status = pod.get("status") or {}
        marked = {**pod, "status": {**status, "conditions": with_conditions(status.get("conditions") or (), [why])}}
        self._events.record(pod, COMPONENT, "TaintManagerEviction", f"Marking for deletion Pod {key.namespace}/{key.name}")
        try:
            await self._registry.update("pods", marked, subresource="status")
            await self._registry.delete("pods", key.namespace, key.name, uid=uid_of(pod))
        except ApiError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise
            self._loop.add(key)
