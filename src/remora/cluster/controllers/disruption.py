"""PodDisruptionBudgets: how many of the selected pods an eviction may take now. The eviction itself asks in `api.eviction`."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.actions import Decision, carry_out, update_status
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.controllers.rollout import replicas_of, share
from remora.cluster.events import Events
from remora.cluster.objects import (
    Object,
    controller_of,
    is_ready,
    is_terminating,
    key_of,
    labels_of,
    parse_time,
    render_time,
    selector_matches,
    uid_of,
    with_conditions,
)
from remora.cluster.objects import now as current_time
from remora.core.names import NamespacedName

BUDGETS = "poddisruptionbudgets.policy"
COMPONENT = "controllermanager"
_SCALED = {
    "Deployment": "deployments.apps",
    "ReplicaSet": "replicasets.apps",
    "ReplicationController": "replicationcontrollers",
    "StatefulSet": "statefulsets.apps",
}
_PATIENCE = timedelta(minutes=2)
"""How long a pod counts as gone after its eviction was allowed, although its deletion was not seen."""

FindOwner = Callable[[Mapping[str, Any]], Object | None]
"""The controller of an object, if it is of a kind with `spec.replicas`."""


def decide(budget: Object, pods: Sequence[Object], find_owner: FindOwner, *, now: datetime) -> Decision:
    """Brings the status up to date; `pods` are those of the namespace."""
    selected = [pod for pod in pods if selector_matches(budget["spec"].get("selector"), labels_of(pod))]
    evicted = _evicted(budget, selected, now=now)
    expected, desired = _expected(budget, selected, find_owner)
    healthy = [pod for pod in selected if is_ready(pod) and not is_terminating(pod) and pod["metadata"]["name"] not in evicted]
    allowed = max(0, len(healthy) - desired) if expected else 0
    before = budget.get("status") or {}
    status: Object = {
        "observedGeneration": budget["metadata"].get("generation", 0),
        "disruptionsAllowed": allowed,
        "currentHealthy": len(healthy),
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": with_conditions(before.get("conditions") or (), [_condition(budget, allowed, now)]),
    }
    if evicted:
        status["disruptedPods"] = evicted
    waits = [(parse_time(moment) + _PATIENCE - now).total_seconds() for moment in evicted.values()]
    return Decision(update_status(BUDGETS, budget, status), min(waits, default=None))


def _evicted(budget: Mapping[str, Any], selected: Sequence[Object], *, now: datetime) -> dict[str, str]:
    """Pods whose eviction was allowed and which are not seen to go yet, with the time of that."""
    noted = (budget.get("status") or {}).get("disruptedPods") or {}
    staying = {pod["metadata"]["name"] for pod in selected if not is_terminating(pod)}
    return {name: moment for name, moment in noted.items() if name in staying and parse_time(moment) + _PATIENCE > now}


def _expected(budget: Mapping[str, Any], selected: Sequence[Object], find_owner: FindOwner) -> tuple[int, int]:
    """How many pods there should be, and how many of them healthy. Shares are of what the pods' controllers want."""
    spec = budget["spec"]
    if (limit := spec.get("maxUnavailable")) is not None:
        expected = _wanted_by_controllers(selected, find_owner)
        return expected, max(0, expected - share(limit, expected, up=True))
    minimum = spec.get("minAvailable", 0)
    if isinstance(minimum, int):
        return len(selected), minimum
    expected = _wanted_by_controllers(selected, find_owner)
    return expected, share(minimum, expected, up=True)


def _wanted_by_controllers(selected: Sequence[Object], find_owner: FindOwner) -> int:
    sizes: dict[str, int] = {}
    for pod in selected:
        owner = find_owner(pod)
        top = find_owner(owner) or owner if owner is not None else None
        if top is not None:
            sizes[uid_of(top)] = replicas_of(top)
    return sum(sizes.values())


def _condition(budget: Mapping[str, Any], allowed: int, now: datetime) -> Object:
    return {
        "type": "DisruptionAllowed",
        "status": "True" if allowed else "False",
        "observedGeneration": budget["metadata"].get("generation", 0),
        "lastTransitionTime": render_time(now),
        "reason": "SufficientPods" if allowed else "InsufficientPods",
        "message": "",
    }


class DisruptionController:
    """Keeps every PodDisruptionBudget's status as `decide` says."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        self._registry = registry
        self._events = events
        self._loop: Loop[NamespacedName] = Loop("disruption", self._reconcile)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(follow(self._registry, BUDGETS, lambda event: self._loop.add(key_of(event.object))))
            group.create_task(follow(self._registry, "pods", self._pod_changed))
            for resource in _SCALED.values():
                group.create_task(follow(self._registry, resource, self._owner_changed))

    def _pod_changed(self, event: WatchEvent) -> None:
        states = [state for state in (event.object, event.previous) if state is not None]
        for budget in self._registry.list(BUDGETS, event.object["metadata"]["namespace"])[0]:
            if any(selector_matches(budget["spec"].get("selector"), labels_of(state)) for state in states):
                self._loop.add(key_of(budget))

    def _owner_changed(self, event: WatchEvent) -> None:
        """How many pods it wants may have changed."""
        if event.previous is None or replicas_of(event.previous) != replicas_of(event.object):
            for budget in self._registry.list(BUDGETS, event.object["metadata"]["namespace"])[0]:
                self._loop.add(key_of(budget))

    async def _reconcile(self, key: NamespacedName) -> float | None:
        budget = self._registry.find(BUDGETS, key.namespace, key.name)
        if budget is None:
            return None
        pods, _ = self._registry.list("pods", key.namespace)
        decision = decide(budget, pods, self._find_owner, now=current_time())
        await carry_out(decision.actions, registry=self._registry, events=self._events, component=COMPONENT)
        return decision.again_in

    def _find_owner(self, obj: Mapping[str, Any]) -> Object | None:
        reference = controller_of(obj)
        resource = _SCALED.get(reference["kind"]) if reference else None
        if reference is None or resource is None:
            return None
        return self._registry.find(resource, obj["metadata"]["namespace"], reference["name"])
