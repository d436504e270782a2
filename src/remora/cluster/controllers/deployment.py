"""Deployments: one ReplicaSet for each version of the pod template, grown and shrunk by the strategy.

`decide` takes one step from what is there; the change that it causes is the occasion for the next one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers import revision
from remora.cluster.controllers.actions import Action, Create, Decision, Note, Update, carry_out, delete, update_status
from remora.cluster.controllers.deployment_status import seconds_to_deadline, status
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.controllers.ownership import claims, is_adoptable, owned
from remora.cluster.controllers.rollout import (
    Limits,
    is_scaling,
    limits,
    new_replicaset_size,
    old_replicaset_sizes,
    replicas_of,
    scaled_sizes,
)
from remora.cluster.events import Events
from remora.cluster.objects import (
    TERMINAL_PHASES,
    Object,
    annotations_of,
    controller_of,
    is_terminating,
    key_of,
    with_metadata,
)
from remora.cluster.objects import now as current_time
from remora.core.names import NamespacedName

COMPONENT = "deployment-controller"
DEPLOYMENTS = "deployments.apps"
REPLICASETS = "replicasets.apps"


def decide(deployment: Object, replicasets: Sequence[Object], pods: Sequence[Object], *, now: datetime) -> Decision:
    """The next step. `replicasets` and `pods` are those of the Deployment's namespace; others' are left alone."""
    if is_terminating(deployment):
        return Decision()
    if claimed := claims(deployment, REPLICASETS, replicasets):
        return Decision(claimed)
    own = owned(deployment, replicasets)
    new = revision.find_new(deployment, own)
    old = revision.oldest_first([rs for rs in own if rs is not new])
    bounds = limits(deployment)
    counted = revision.without_collision(deployment, replicasets) if new is None else deployment
    steps = _rollout(counted, new, old, pods, bounds=bounds)
    after = status(counted, new, own, bounds=bounds, now=now)
    return Decision((*steps, *update_status(DEPLOYMENTS, deployment, after)), seconds_to_deadline(deployment, after, now=now))


def _rollout(
    deployment: Object, new: Object | None, old: Sequence[Object], pods: Sequence[Object], *, bounds: Limits
) -> tuple[Action, ...]:
    everything = [*old, new] if new else list(old)
    if deployment["spec"].get("paused") or is_scaling(deployment, everything):
        sizes = scaled_sizes(deployment, bounds, new, old)
        return (*_sized(deployment, everything, sizes, bounds), *_note_revision(deployment, new))
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return _recreate(deployment, new, old, pods, bounds=bounds)
    grown = _grow(deployment, new, old, bounds=bounds)
    sizes = {} if grown else old_replicaset_sizes(bounds, new, old)
    shrunk = _sized(deployment, old, sizes, bounds)
    return (*grown, *shrunk, *_note_revision(deployment, new), *_clean_up(deployment, old, busy=bool(grown or shrunk)))


def _recreate(
    deployment: Object, new: Object | None, old: Sequence[Object], pods: Sequence[Object], *, bounds: Limits
) -> tuple[Action, ...]:
    """All old pods end before the first new one begins."""
    running = {rs["metadata"]["name"]: 0 for rs in old if replicas_of(rs) > 0}
    if running:
        return _sized(deployment, old, running, bounds)
    old_uids = {rs["metadata"]["uid"] for rs in old}
    if any((controller_of(pod) or {}).get("uid") in old_uids and not _is_finished(pod) for pod in pods):
        return ()
    grown = _grow(deployment, new, old, bounds=bounds)
    return (*grown, *_note_revision(deployment, new), *_clean_up(deployment, old, busy=bool(grown)))


def _grow(deployment: Object, new: Object | None, old: Sequence[Object], *, bounds: Limits) -> tuple[Action, ...]:
    """Creates the current ReplicaSet, or gives it the size that it may have, its revision and its annotations."""
    number = revision.next_revision(old)
    recreate = (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"
    if new is None:
        size = new_replicaset_size(bounds, old, current=0, recreate=recreate)
        created = revision.new_replicaset(deployment, size=size, revision=number, bounds=bounds)
        note = _scaling_note(deployment, created["metadata"]["name"], before=0, after=size)
        return (Create(REPLICASETS, created, note if size else None),)
    number = max(number, revision.revision_of(new))
    size = new_replicaset_size(bounds, [*old, new], current=replicas_of(new), recreate=recreate)
    wanted = revision.annotations(deployment, annotations_of(new), revision=number, bounds=bounds)
    min_ready = deployment["spec"].get("minReadySeconds") or 0
    changed = wanted != annotations_of(new) or min_ready != (new["spec"].get("minReadySeconds") or 0)
    if size == replicas_of(new) and not changed:
        return ()
    spec = {**new["spec"], "replicas": size, "minReadySeconds": min_ready}
    note = _scaling_note(deployment, new["metadata"]["name"], before=replicas_of(new), after=size)
    return (Update(REPLICASETS, {**with_metadata(new, annotations=wanted), "spec": spec}, "", note),)


def _sized(deployment: Object, replicasets: Sequence[Object], sizes: Mapping[str, int], bounds: Limits) -> tuple[Action, ...]:
    actions: list[Action] = []
    for replicaset in replicasets:
        name, before = replicaset["metadata"]["name"], replicas_of(replicaset)
        if name not in sizes:
            continue
        wanted = {**annotations_of(replicaset), **revision.sized_annotations(bounds)}
        if sizes[name] == before and wanted == annotations_of(replicaset):
            continue
        after = with_metadata(replicaset, annotations=wanted)
        note = _scaling_note(deployment, name, before=before, after=sizes[name])
        actions.append(Update(REPLICASETS, {**after, "spec": {**replicaset["spec"], "replicas": sizes[name]}}, "", note))
    return tuple(actions)


def _note_revision(deployment: Object, new: Object | None) -> tuple[Action, ...]:
    noted = revision.with_revision(deployment, revision.revision_of(new)) if new and revision.revision_of(new) else None
    return (Update(DEPLOYMENTS, noted),) if noted else ()


def _clean_up(deployment: Object, old: Sequence[Object], *, busy: bool) -> tuple[Action, ...]:
    return () if busy else tuple(delete(REPLICASETS, rs) for rs in revision.obsolete(deployment, old))


def _is_finished(pod: Mapping[str, Any]) -> bool:
    return (pod.get("status") or {}).get("phase") in TERMINAL_PHASES


def _scaling_note(deployment: Object, name: str, *, before: int, after: int) -> Note | None:
    if before == after:
        return None
    direction = "up" if after > before else "down"
    return Note(deployment, "ScalingReplicaSet", f"Scaled {direction} replica set {name} from {before} to {after}")


class DeploymentController:
    """Keeps every Deployment's ReplicaSets as `decide` says."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        self._registry = registry
        self._events = events
        self._loop: Loop[NamespacedName] = Loop("deployment", self._reconcile)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(follow(self._registry, DEPLOYMENTS, lambda event: self._loop.add(key_of(event.object))))
            group.create_task(follow(self._registry, REPLICASETS, self._replicaset_changed))
            group.create_task(follow(self._registry, "pods", self._pod_changed))

    def _replicaset_changed(self, event: WatchEvent) -> None:
        owner = controller_of(event.object)
        namespace = event.object["metadata"]["namespace"]
        if owner is not None and owner["kind"] == "Deployment":
            self._loop.add(NamespacedName(namespace, owner["name"]))
        elif owner is None:
            for deployment in self._registry.list(DEPLOYMENTS, namespace)[0]:
                if is_adoptable(deployment, event.object):
                    self._loop.add(key_of(deployment))

    def _pod_changed(self, event: WatchEvent) -> None:
        """Only `Recreate` waits for pods; everything else follows from the ReplicaSets' status."""
        owner = controller_of(event.object)
        if event.type != "DELETED" and not _is_finished(event.object):
            return
        if owner is not None and owner["kind"] == "ReplicaSet":
            replicaset = self._registry.find(REPLICASETS, event.object["metadata"]["namespace"], owner["name"])
            deployment = controller_of(replicaset) if replicaset else None
            if deployment is not None:
                self._loop.add(NamespacedName(event.object["metadata"]["namespace"], deployment["name"]))

    async def _reconcile(self, key: NamespacedName) -> float | None:
        deployment = self._registry.find(DEPLOYMENTS, key.namespace, key.name)
        if deployment is None:
            return None
        replicasets, _ = self._registry.list(REPLICASETS, key.namespace)
        pods, _ = self._registry.list("pods", key.namespace)
        decision = decide(deployment, replicasets, pods, now=current_time())
        await carry_out(decision.actions, registry=self._registry, events=self._events, component=COMPONENT)
        return decision.again_in
