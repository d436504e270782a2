"""DaemonSets: one pod on every node that takes it. Here that is one node, but nothing below depends on it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers import history
from remora.cluster.controllers.actions import Action, Create, Decision, Note, delete, update_status
from remora.cluster.controllers.daemonplacement import Placement, daemon_template, node_of, placement
from remora.cluster.controllers.history import POD_LABEL, hash_of
from remora.cluster.controllers.loop import follow
from remora.cluster.controllers.ownership import claims, owned
from remora.cluster.controllers.pods import is_available, min_ready_seconds, next_availability, phase_of, pod_of
from remora.cluster.controllers.rollout import share
from remora.cluster.controllers.workload import WorkloadController
from remora.cluster.events import Events
from remora.cluster.objects import TERMINAL_PHASES, Object, is_ready, is_terminating, key_of, labels_of
from remora.cluster.objects import now as current_time

DAEMONSETS = "daemonsets.apps"
_GENERATION = "deprecated.daemonset.template.generation"
_GENERATION_LABEL = "pod-template-generation"


class View(msgspec.Struct, frozen=True):
    """A DaemonSet with all that a step depends on; `pods` are its own, by node."""

    owner: Object
    pods: Mapping[str, tuple[Object, ...]]
    places: Mapping[str, Placement]
    revision: Object
    now: datetime

    @property
    def wanted(self) -> tuple[str, ...]:
        return tuple(node for node, place in self.places.items() if place.may_begin)

    def is_available(self, pod: Object) -> bool:
        return is_available(pod, min_ready_seconds(self.owner), now=self.now)

    def is_updated(self, pod: Object) -> bool:
        return labels_of(pod).get(POD_LABEL) == hash_of(self.revision)


def decide(
    owner: Object, pods: Sequence[Object], revisions: Sequence[Object], nodes: Sequence[Object], *, now: datetime
) -> Decision:
    """The next step. `pods` and `revisions` are those of the DaemonSet's namespace."""
    if claimed := claims(owner, "pods", pods):
        return Decision(claimed)
    found = history.history(owner, revisions)
    if found.due:
        return Decision(history.due(owner, DAEMONSETS, found))
    own = owned(owner, pods)
    by_node: dict[str, tuple[Object, ...]] = {}
    for pod in own:
        by_node[node_of(pod)] = (*by_node.get(node_of(pod), ()), pod)
    places = {node["metadata"]["name"]: placement(owner, node) for node in nodes}
    view = View(owner=owner, pods=by_node, places=places, revision=found.newest, now=now)
    steps = () if is_terminating(owner) else (*_steps(view), *_clean_up(view, found, own))
    after = status(view, collisions=found.collisions)
    again_in = next_availability(own, min_ready_seconds(owner), now=now)
    return Decision((*steps, *update_status(DAEMONSETS, owner, after)), again_in)


def status(view: View, *, collisions: int) -> Object:
    """The whole `status`; every count is one of nodes."""
    here = {node: [pod for pod in view.pods.get(node, ()) if not is_terminating(pod)] for node in view.places}
    wanted = view.wanted
    available = sum(any(map(view.is_available, here[node])) for node in wanted)
    counts = {
        "updatedNumberScheduled": sum(any(map(view.is_updated, here[node])) for node in wanted),
        "numberAvailable": available,
        "numberUnavailable": len(wanted) - available,
        "collisionCount": collisions,
    }
    result: Object = {
        "observedGeneration": view.owner["metadata"].get("generation", 0),
        "desiredNumberScheduled": len(wanted),
        "currentNumberScheduled": sum(bool(here[node]) for node in wanted),
        "numberMisscheduled": sum(bool(pods) for node, pods in here.items() if node not in wanted),
        "numberReady": sum(any(map(is_ready, here[node])) for node in wanted),
    }
    result |= {name: count for name, count in counts.items() if count}
    if conditions := (view.owner.get("status") or {}).get("conditions"):
        result["conditions"] = conditions
    return result


def _steps(view: View) -> Iterator[Action]:
    """Missing pods begin, misplaced and surplus ones end; only when all is in place, the next ones are updated."""
    placed = list(_place(view))
    yield from placed
    if not placed and (view.owner["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate":
        yield from _update(view)


def _place(view: View) -> Iterator[Action]:
    for node, place in view.places.items():
        pods = view.pods.get(node, ())
        ended = [pod for pod in pods if phase_of(pod) in TERMINAL_PHASES and not is_terminating(pod)]
        yield from (_recreate(view, pod) for pod in ended)
        living = [pod for pod in pods if not is_terminating(pod) and pod not in ended]
        if not place.may_stay:
            yield from (_end(view, pod) for pod in living)
        elif place.may_begin and not pods:
            yield _create(view, node)
        elif place.may_begin:
            yield from (_end(view, pod) for pod in _surplus(view, living))
    nodes = view.places.keys()
    for node, pods in view.pods.items():
        yield from (_end(view, pod) for pod in pods if node not in nodes and not is_terminating(pod))


def _surplus(view: View, living: Sequence[Object]) -> list[Object]:
    """All but the oldest; while a surge is allowed, the oldest of each version, until the new one is available."""
    oldest = sorted(living, key=lambda pod: (pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"]))
    new, old = [pod for pod in oldest if view.is_updated(pod)], [pod for pod in oldest if not view.is_updated(pod)]
    if not new or not old:
        return oldest[1:]
    if _limits(view)[0] == 0:
        return oldest[1:]
    return [*new[1:], *(old if view.is_available(new[0]) else old[1:])]


def _update(view: View) -> Iterator[Action]:
    """Replaces pods of a former template: beside them if a surge is allowed, else where they are."""
    surge, unavailable = _limits(view)
    old: list[Object] = []
    for node in view.wanted:
        living = [pod for pod in view.pods.get(node, ()) if not is_terminating(pod)]
        updated = [pod for pod in living if view.is_updated(pod)]
        if surge:
            surge -= bool(updated and len(living) > 1)
        elif not any(map(view.is_available, living)):
            unavailable -= 1
        if not updated:
            old += living
    for pod in sorted(old, key=view.is_available):
        if not view.is_available(pod):
            yield _end(view, pod)  # serves nobody, so nothing is lost
        elif surge > 0:
            yield _create(view, node_of(pod))
            surge -= 1
        elif _limits(view)[0] == 0 and unavailable > 0:
            yield _end(view, pod)
            unavailable -= 1


def _limits(view: View) -> tuple[int, int]:
    """How many nodes may have two pods, and how many none, during an update. Both are rounded up, unlike a Deployment's."""
    rolling = (view.owner["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    total = len(view.wanted)
    surge = share(rolling.get("maxSurge", 0), total, up=True)
    unavailable = share(rolling.get("maxUnavailable", 1), total, up=True)
    return (surge, unavailable if surge or unavailable else 1)


def _create(view: View, node: str) -> Action:
    labels = {POD_LABEL: hash_of(view.revision)}
    if generation := (view.owner["metadata"].get("annotations") or {}).get(_GENERATION):
        labels[_GENERATION_LABEL] = generation
    pod = pod_of(view.owner, daemon_template(view.owner, node))
    metadata = {**pod["metadata"], "labels": {**labels_of(pod), **labels}}
    return Create("pods", {**pod, "metadata": metadata}, Note(view.owner, "SuccessfulCreate", "Created pod: {name}"))


def _end(view: View, pod: Object) -> Action:
    return delete("pods", pod, Note(view.owner, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}"))


def _recreate(view: View, pod: Object) -> Action:
    """A daemon never ends for good."""
    failed = phase_of(pod) == "Failed"
    what = f"Found {'failed' if failed else 'succeeded'} daemon pod {key_of(pod)} on node {node_of(pod)}, will try to "
    note = Note(view.owner, "FailedDaemonPod", f"{what}kill it", "Warning")
    return delete("pods", pod, note if failed else Note(view.owner, "SucceededDaemonPod", f"{what}delete it"))


def _clean_up(view: View, found: history.History, own: Iterable[Object]) -> tuple[Action, ...]:
    hashes = {labels_of(pod).get(POD_LABEL, "") for pod in own}
    used = {history.name_of(revision) for revision in found.revisions if hash_of(revision) in hashes}
    return history.obsolete(view.owner, found, used)


class DaemonSetController(WorkloadController):
    """Keeps every DaemonSet's pods and revisions as `decide` says."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        super().__init__(
            registry=registry,
            events=events,
            resource=DAEMONSETS,
            component="daemonset-controller",
            also=("pods", history.REVISIONS),
        )
        self._node_facts: dict[str, Any] = {}

    async def run(self) -> None:
        await self.run_with(follow(self.registry, "nodes", self._node_changed))

    def _node_changed(self, event: WatchEvent) -> None:
        """Heartbeats change a node all the time; where daemons run depends on little of it."""
        name, facts = event.object["metadata"]["name"], (dict(labels_of(event.object)), event.object.get("spec"))
        if self._node_facts.get(name) != facts or event.type == "DELETED":
            self._node_facts[name] = facts
            for found in self.registry.list(DAEMONSETS)[0]:
                self.loop.add(key_of(found))

    def decide(self, obj: Object) -> Decision:
        revisions, _ = self.registry.list(history.REVISIONS, obj["metadata"]["namespace"])
        nodes, _ = self.registry.list("nodes")
        return decide(obj, self.pods_of(obj), revisions, nodes, now=current_time())
