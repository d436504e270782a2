"""What the workload pages show: objects in, rows out. Pure.

Rows hold times as the API tells them, never ages: a row that is equal to the one before need not be sent again.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from remora.core.names import NamespacedName
from remora.dashboard.pod_state import PodState, Tone, pod_state
from remora.dashboard.workload_kinds import CRONJOB, DAEMONSET, JOB, MAKERS, POD, REPLICASET, Sort
from remora.dashboard.workload_objects import Object, Pod, Workload

LISTED_PODS = 20
"""So many pods of a workload are in the list of all workloads; the workload's own page has them all."""


class PodRow(msgspec.Struct, frozen=True):
    name: NamespacedName
    state: PodState
    created: str
    node: str
    ip: str
    uid: str
    going: bool = False

    @property
    def ready(self) -> str:
        return f"{self.state.ready}/{self.state.total}"


class WorkloadRow(msgspec.Struct, frozen=True):
    """`desired` is None where a workload has no number of pods to reach; `note` says what the numbers do not."""

    kind: str
    plural: str
    name: NamespacedName
    uid: str
    created: str
    images: tuple[str, ...]
    tone: Tone
    note: str
    ready: int
    desired: int | None = None
    updated: int | None = None
    pods: tuple[PodRow, ...] = ()
    unlisted: int = 0
    """How many more pods there are than `pods` has."""
    scalable: bool = False
    restartable: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """What a search looks at."""
        return (str(self.name), self.kind, *self.images, *(pod.name.name for pod in self.pods))


class NamespaceRows(msgspec.Struct, frozen=True):
    name: str
    workloads: tuple[WorkloadRow, ...]
    bare: tuple[PodRow, ...]
    """Pods that nobody looks after."""


class Workloads(msgspec.Struct, frozen=True):
    """What is in the cluster: workloads by the plural of their kind, and pods."""

    makers: Mapping[str, Sequence[Workload]]
    pods: Sequence[Pod]


def pod_row(pod: Pod) -> PodRow:
    return PodRow(
        pod.key,
        pod_state(pod),
        pod.metadata.creation_timestamp or "",
        pod.spec.node_name,
        pod.status.pod_ip,
        pod.metadata.uid,
        going=pod.metadata.deletion_timestamp is not None,
    )


def namespace_rows(found: Workloads, *, listed: int | None = LISTED_PODS) -> tuple[NamespaceRows, ...]:
    """Everything by namespace; what another workload made (a Deployment's ReplicaSets) stands under its maker."""
    pods = _pods_by_top(found)
    uids = _makers_by_uid(found)
    workloads = [(sort, one) for sort in MAKERS for one in found.makers.get(sort.plural, ())]
    tops = [(sort, one) for sort, one in workloads if one.owner is None or one.owner.uid not in uids]
    by_namespace: dict[str, list[WorkloadRow]] = {}
    for sort, one in sorted(tops, key=lambda top: (MAKERS.index(top[0]), top[1].key)):
        row = workload_row(sort, one, pods.get(one.metadata.uid, ()), listed=listed)
        by_namespace.setdefault(one.metadata.namespace, []).append(row)
    bare: dict[str, list[Pod]] = {}
    for pod in pods.get("", ()):
        bare.setdefault(pod.metadata.namespace, []).append(pod)
    names = sorted({*by_namespace, *bare})
    return tuple(NamespaceRows(name, tuple(by_namespace.get(name, ())), pod_rows(bare.get(name, ()))) for name in names)


def chosen(
    rows: Iterable[NamespaceRows], *, words: str = "", namespace: str = "", in_trouble: bool = False
) -> tuple[NamespaceRows, ...]:
    """What of the rows has all the words, is in the namespace, and is in trouble or on its way if only that is wanted."""
    wanted = words.lower().split()
    found = list[NamespaceRows]()
    for one in rows:
        workloads = tuple(
            row for row in one.workloads if _has(row.texts, wanted) and (not in_trouble or row.tone in _UNSETTLED)
        )
        bare = tuple(
            row for row in one.bare if _has((str(row.name), "pod"), wanted) and (not in_trouble or row.state.tone in _UNSETTLED)
        )
        if (workloads or bare) and namespace in ("", one.name):
            found.append(NamespaceRows(one.name, workloads, bare))
    return tuple(found)


_UNSETTLED = (Tone.BAD, Tone.WAITING)


def _has(texts: Iterable[str], words: Sequence[str]) -> bool:
    text = " ".join(texts).lower()
    return all(word in text for word in words)


def workload_row(sort: Sort, one: Workload, pods: Sequence[Pod], *, listed: int | None = None) -> WorkloadRow:
    """One workload with its pods, those in trouble first; at most `listed` of them."""
    desired, ready, updated = _numbers(sort, one)
    rows = pod_rows(pods)
    shown = rows if listed is None else rows[:listed]
    return WorkloadRow(
        sort.kind,
        sort.plural,
        one.key,
        one.metadata.uid,
        one.metadata.creation_timestamp or "",
        images_of(one),
        _tone(sort, one, desired, ready, updated, rows),
        _note(sort, one),
        ready,
        desired,
        updated,
        shown,
        len(rows) - len(shown),
        sort.scalable,
        sort.restartable,
    )


def pod_rows(pods: Iterable[Pod]) -> tuple[PodRow, ...]:
    """Pods in trouble first, then those on their way, then by name."""
    return tuple(sorted((pod_row(pod) for pod in pods), key=lambda row: (_URGENCY[row.state.tone], row.name)))


_URGENCY = {Tone.BAD: 0, Tone.WAITING: 1, Tone.GOING: 2, Tone.GOOD: 3, Tone.DONE: 4}


def pods_of(uid: str, found: Workloads) -> tuple[Pod, ...]:
    """The pods of one workload, whoever stands between."""
    makers = _makers_by_uid(found)
    return tuple(pod for pod in found.pods if uid in _chain(pod, makers))


def images_of(one: Workload) -> tuple[str, ...]:
    """The images of a workload's pods, each once, in the order of the containers."""
    template = one.spec.job_template.spec.template if one.spec.job_template else one.spec.template
    return tuple(dict.fromkeys(container.image for container in template.spec.containers))


def restart_patch(now: str) -> dict[str, object]:
    """What `kubectl rollout restart` writes: a template that differs makes new pods."""
    annotations = {"kubectl.kubernetes.io/restartedAt": now}
    return {"spec": {"template": {"metadata": {"annotations": annotations}}}}


def _makers_by_uid(found: Workloads) -> dict[str, Workload]:
    return {one.metadata.uid: one for workloads in found.makers.values() for one in workloads if one.metadata.uid}


def _chain(one: Object, makers: Mapping[str, Workload]) -> list[str]:
    """The uids of who made it, of who made that, and so on to the top."""
    chain = list[str]()
    while (owner := one.owner) is not None and owner.uid in makers and owner.uid not in chain:
        chain.append(owner.uid)
        one = makers[owner.uid]
    return chain


def _pods_by_top(found: Workloads) -> dict[str, list[Pod]]:
    """Pods by the uid of the workload at the top; under "" those of nobody that is shown."""
    makers = _makers_by_uid(found)
    by_top: dict[str, list[Pod]] = {}
    for pod in found.pods:
        chain = _chain(pod, makers)
        by_top.setdefault(chain[-1] if chain else "", []).append(pod)
    return by_top


def _numbers(sort: Sort, one: Workload) -> tuple[int | None, int, int | None]:
    """Desired, ready and updated pods."""
    spec, status = one.spec, one.status
    if sort is DAEMONSET:
        return status.desired_number_scheduled, status.number_ready, status.updated_number_scheduled
    if sort is JOB:
        wanted = spec.completions if spec.completions is not None else (spec.parallelism or 1)
        return wanted, status.succeeded, None
    if sort is CRONJOB:
        return None, len(status.active) if isinstance(status.active, tuple) else status.active, None
    # Without a number one pod is wanted, which is also what the API server fills in.
    desired = 1 if spec.replicas is None else spec.replicas
    return desired, status.ready_replicas, None if sort is REPLICASET else status.updated_replicas


def _tone(sort: Sort, one: Workload, desired: int | None, ready: int, updated: int | None, pods: Sequence[PodRow]) -> Tone:
    if one.metadata.deletion_timestamp:
        return Tone.GOING
    if any(pod.state.tone is Tone.BAD for pod in pods) and sort not in (JOB, CRONJOB):
        return Tone.BAD
    if sort is JOB:
        return _job_tone(one)
    if sort is CRONJOB or desired == 0:
        return Tone.DONE if desired == 0 or one.spec.suspend else Tone.GOOD
    if _failed(one):
        return Tone.BAD
    is_old = updated is not None and desired is not None and updated < desired
    return Tone.WAITING if is_old or ready < (desired or 0) else Tone.GOOD


def _job_tone(one: Workload) -> Tone:
    true = {condition.type for condition in one.status.conditions if condition.status == "True"}
    if "Failed" in true:
        return Tone.BAD
    if "Complete" in true:
        return Tone.DONE
    return Tone.WAITING


def _failed(one: Workload) -> bool:
    """Whether a rollout goes no further, or pods cannot be made at all."""
    return any(
        (condition.type == "Progressing" and condition.status == "False" and condition.reason == "ProgressDeadlineExceeded")
        or (condition.type == "ReplicaFailure" and condition.status == "True")
        for condition in one.status.conditions
    )


def _note(sort: Sort, one: Workload) -> str:
    if one.metadata.deletion_timestamp:
        return "being deleted"
    if sort is CRONJOB:
        return f"{one.spec.schedule}, suspended" if one.spec.suspend else one.spec.schedule
    if sort is JOB:
        return _job_note(one)
    if one.spec.paused:
        return "rollout paused"
    if _failed(one):
        return "rollout failed"
    return ""


def _job_note(one: Workload) -> str:
    true = {condition.type for condition in one.status.conditions if condition.status == "True"}
    for type_, word in (("Complete", "complete"), ("Failed", "failed"), ("Suspended", "suspended")):
        if type_ in true:
            return word
    return f"{one.status.failed} failed so far" if one.status.failed else "running"


def owner_path(pod: Pod, found: Workloads) -> tuple[tuple[str, str], ...]:
    """Who looks after a pod, from the top down, as plural and name."""
    makers = _makers_by_uid(found)
    plurals = {one.metadata.uid: plural for plural, workloads in found.makers.items() for one in workloads}
    return tuple((plurals[uid], makers[uid].metadata.name) for uid in reversed(_chain(pod, makers)))


def pod_path(name: NamespacedName) -> str:
    return POD.resource.path(name.namespace, name.name)
