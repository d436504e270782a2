"""StatefulSets: pods with numbers, begun in their order and ended in the opposite one.

`decide` takes one step, unless `podManagementPolicy` is Parallel; the change that it causes is the occasion for the next one.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from remora.cluster.api.registry import Registry
from remora.cluster.controllers import history, identity
from remora.cluster.controllers.actions import Action, Create, Decision, Note, delete, update_status
from remora.cluster.controllers.history import POD_LABEL, History, name_of
from remora.cluster.controllers.ownership import claims as claim_pods
from remora.cluster.controllers.ownership import owned
from remora.cluster.controllers.pods import is_available, min_ready_seconds, next_availability, phase_of
from remora.cluster.controllers.rollout import replicas_of, share
from remora.cluster.controllers.workload import WorkloadController
from remora.cluster.events import Events
from remora.cluster.objects import TERMINAL_PHASES, Object, is_ready, is_terminating, key_of, labels_of
from remora.cluster.objects import now as current_time

STATEFULSETS = "statefulsets.apps"


class Slots(msgspec.Struct, frozen=True):
    """The pods that there shall be, by number (None: not there), and those that shall go, the highest number first."""

    wanted: Mapping[int, Object | None]
    condemned: tuple[Object, ...]


class View(msgspec.Struct, frozen=True):
    """A StatefulSet with all that a step depends on. `current` is the revision from before the update that is under way."""

    owner: Object
    slots: Slots
    claims: Sequence[Object]
    current: Object
    update: Object
    now: datetime

    @property
    def is_ordered(self) -> bool:
        return bool(self.owner["spec"].get("podManagementPolicy") != "Parallel")

    def is_available(self, pod: Object) -> bool:
        return _is_running(pod) and is_available(pod, min_ready_seconds(self.owner), now=self.now)


def decide(
    owner: Object, pods: Sequence[Object], revisions: Sequence[Object], claims: Sequence[Object], *, now: datetime
) -> Decision:
    """The next step. All objects are those of the StatefulSet's namespace."""
    if claimed := _claimed(owner, pods):
        return Decision(claimed)
    found = history.history(owner, revisions)
    if found.due:
        return Decision(history.due(owner, STATEFULSETS, found))
    own = [pod for pod in owned(owner, pods) if identity.ordinal_of(owner, pod) is not None]
    before = (owner.get("status") or {}).get("currentRevision")
    current = next((revision for revision in found.revisions if name_of(revision) == before), found.newest)
    view = View(owner=owner, slots=_slots(owner, own), claims=claims, current=current, update=found.newest, now=now)
    after = status(view, own, collisions=found.collisions)
    steps = () if is_terminating(owner) else _steps(view, found, own)
    again_in = next_availability(own, min_ready_seconds(owner), now=now)
    return Decision((*steps, *update_status(STATEFULSETS, owner, after)), again_in)


def status(view: View, own: Sequence[Object], *, collisions: int) -> Object:
    """The whole `status`. An update that is complete makes its revision the current one."""
    owner = view.owner
    staying = [labels_of(pod).get(POD_LABEL) for pod in own if not is_terminating(pod)]
    current, update = name_of(view.current), name_of(view.update)
    counts = {
        "readyReplicas": sum(_is_running(pod) and is_ready(pod) for pod in own),
        "currentReplicas": staying.count(current),
        "updatedReplicas": staying.count(update),
    }
    strategy = (owner["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate")
    is_complete = counts["updatedReplicas"] == counts["readyReplicas"] == len(own) == replicas_of(owner)
    if strategy == "RollingUpdate" and is_complete:
        counts["currentReplicas"], current = counts["updatedReplicas"], update
    result: Object = {
        "observedGeneration": owner["metadata"].get("generation", 0),
        "replicas": len(own),
        "availableReplicas": sum(map(view.is_available, own)),
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": collisions,
    }
    result |= {name: count for name, count in counts.items() if count}
    if conditions := (owner.get("status") or {}).get("conditions"):
        result["conditions"] = conditions
    return result


def _claimed(owner: Object, pods: Sequence[Object]) -> tuple[Action, ...]:
    """Only pods with a name of the set are adopted; another of the same labels is nobody's business."""
    return claim_pods(owner, "pods", [pod for pod in pods if identity.ordinal_of(owner, pod) is not None])


def _slots(owner: Object, own: Sequence[Object]) -> Slots:
    by_ordinal = {identity.ordinal_of(owner, pod): pod for pod in own}
    wanted = identity.ordinals(owner)
    surplus = sorted((ordinal for ordinal in by_ordinal if ordinal is not None and ordinal not in wanted), reverse=True)
    return Slots({ordinal: by_ordinal.get(ordinal) for ordinal in wanted}, tuple(by_ordinal[ordinal] for ordinal in surplus))


def _steps(view: View, found: History, own: Sequence[Object]) -> tuple[Action, ...]:
    """What to do about the pods; nothing more after the first step of an ordered set."""
    actions: list[Action] = [
        action
        for pod in own
        if not is_terminating(pod)
        for action in identity.kept_claims(view.owner, pod, view.claims, condemned=pod in view.slots.condemned)
    ]
    for step in (_fill, _shrink, _replace):
        taken, is_blocked = step(view)
        actions += taken
        if is_blocked and view.is_ordered:
            return tuple(actions)
    used = {name_of(view.current), *(labels_of(pod).get(POD_LABEL, "") for pod in own)}
    return (*actions, *history.obsolete(view.owner, found, used))


def _fill(view: View) -> tuple[list[Action], bool]:
    """Every wanted pod that is missing, from the lowest number on; in order, one waits for the one before."""
    actions: list[Action] = []
    for ordinal, pod in view.slots.wanted.items():
        taken = list(_create(view, ordinal) if pod is None else _mend(view, pod))
        actions += taken
        is_waiting = pod is None or not view.is_available(pod) or is_terminating(pod)
        if is_waiting and view.is_ordered:
            return actions, True
    return actions, False


def _create(view: View, ordinal: int) -> Iterator[Action]:
    owner, name = view.owner, identity.pod_name(view.owner, ordinal)
    yield from _missing_claims(view, name)
    revision = view.current if _keeps_current(owner, ordinal) else view.update
    note = Note(owner, "SuccessfulCreate", f"create Pod {name} in StatefulSet {owner['metadata']['name']} successful")
    yield Create("pods", identity.new_pod(owner, ordinal, revision), note)


def _mend(view: View, pod: Object) -> Iterator[Action]:
    """A pod that ended makes room for its successor; one that was adopted gets its labels, and all their claims."""
    if is_terminating(pod):
        return
    owner, name = view.owner, pod["metadata"]["name"]
    if phase_of(pod) in TERMINAL_PHASES:
        what = f"StatefulSet {key_of(owner)} is recreating {phase_of(pod).lower()} Pod {name}"
        yield delete("pods", pod, Note(owner, f"Recreating{phase_of(pod)}Pod", what, "Warning"))
        return
    yield from identity.identified(owner, pod)
    if phase_of(pod) == "Pending":
        yield from _missing_claims(view, name)


def _missing_claims(view: View, pod: str) -> Iterator[Action]:
    existing = {claim["metadata"]["name"] for claim in view.claims}
    for claim in identity.new_claims(view.owner, pod):
        if (name := claim["metadata"]["name"]) not in existing:
            message = f"create Claim {name} Pod {pod} in StatefulSet {view.owner['metadata']['name']} success"
            yield Create(identity.CLAIMS, claim, Note(view.owner, "SuccessfulCreate", message))


def _keeps_current(owner: Mapping[str, Any], ordinal: int) -> bool:
    """Whether a pod of this number is below the partition, hence not updated."""
    strategy = owner["spec"].get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return False
    return ordinal < identity.first_ordinal(owner) + _partition(owner)


def _partition(owner: Mapping[str, Any]) -> int:
    rolling = (owner["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    return int(rolling.get("partition") or 0)


def _shrink(view: View) -> tuple[list[Action], bool]:
    """Pods beyond the wanted number go from the highest on; in order, one waits until the one above is gone."""
    actions: list[Action] = []
    unhealthy = [pod for pod in reversed(view.slots.condemned) if not _is_healthy(pod)]
    for pod in view.slots.condemned:
        if is_terminating(pod):
            if view.is_ordered:
                return actions, True
            continue
        # One that never became ready must not keep the set from shrinking for ever, nor one that has ended.
        waits = not view.is_available(pod) and phase_of(pod) not in TERMINAL_PHASES
        if view.is_ordered and waits and pod is not (unhealthy or [pod])[0]:
            return actions, True
        actions.append(_end(view, pod))
        if view.is_ordered:
            return actions, True
    return actions, False


def _replace(view: View) -> tuple[list[Action], bool]:
    """Ends pods of another revision, from the highest number down to the partition, `maxUnavailable` at a time."""
    owner = view.owner
    strategy = owner["spec"].get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return [], False
    limit = (strategy.get("rollingUpdate") or {}).get("maxUnavailable")
    allowed = 1 if limit is None else max(1, share(limit, replicas_of(owner), up=False))
    lowest = identity.first_ordinal(owner) + _partition(owner)
    allowed -= sum(pod is None or is_terminating(pod) or not view.is_available(pod) for pod in view.slots.wanted.values())
    actions: list[Action] = []
    for ordinal, pod in sorted(view.slots.wanted.items(), reverse=True):
        if pod is None or is_terminating(pod) or ordinal < lowest or labels_of(pod).get(POD_LABEL) == name_of(view.update):
            continue
        # What serves nobody costs nothing to replace, and might never be replaced if it had to wait for its own health.
        if not view.is_available(pod):
            actions.append(_end(view, pod))
        elif allowed > 0:
            actions.append(_end(view, pod))
            allowed -= 1
    return actions, False


def _end(view: View, pod: Object) -> Action:
    message = f"delete Pod {pod['metadata']['name']} in StatefulSet {view.owner['metadata']['name']} successful"
    return delete("pods", pod, Note(view.owner, "SuccessfulDelete", message))


def _is_running(pod: Mapping[str, Any]) -> bool:
    return phase_of(pod) == "Running"


def _is_healthy(pod: Mapping[str, Any]) -> bool:
    return _is_running(pod) and is_ready(pod) and not is_terminating(pod)


class StatefulSetController(WorkloadController):
    """Keeps every StatefulSet's pods, claims and revisions as `decide` says."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        super().__init__(
            registry=registry,
            events=events,
            resource=STATEFULSETS,
            component="statefulset-controller",
            also=("pods", history.REVISIONS),
        )

    def decide(self, obj: Object) -> Decision:
        namespace = obj["metadata"]["namespace"]
        revisions, _ = self.registry.list(history.REVISIONS, namespace)
        claims, _ = self.registry.list(identity.CLAIMS, namespace)
        return decide(obj, self.pods_of(obj), revisions, claims, now=current_time())
