"""Jobs: pods that end, as many as are to succeed, replaced when they fail until there were too many failures."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from remora.cluster.api.registry import Registry
from remora.cluster.controllers.actions import Action, Create, Decision, Note, Update, delete, update_status
from remora.cluster.controllers.job_pods import (
    FINALIZER,
    has_failed,
    index_failures,
    index_of,
    is_ending,
    is_indexed,
    new_pod,
    pause_before_next,
    tracked,
    waits_for_end,
)
from remora.cluster.controllers.job_status import (
    Account,
    Verdict,
    account,
    finished,
    indexes_of,
    job_condition,
    seconds_to_deadline,
    verdict,
)
from remora.cluster.controllers.ownership import claims, owned
from remora.cluster.controllers.pods import deletion_order
from remora.cluster.controllers.workload import WorkloadController
from remora.cluster.events import Events
from remora.cluster.objects import (
    Object,
    condition,
    controller_of,
    is_active,
    is_ready,
    is_terminating,
    parse_time,
    render_time,
    uid_of,
    with_conditions,
    with_metadata,
)
from remora.cluster.objects import now as current_time
from remora.core.names import NamespacedName

JOBS = "jobs.batch"
_MANAGER = "kubernetes.io/job-controller"
_BURST = 500


def decide(job: Object, pods: Sequence[Object], *, now: datetime) -> Decision:
    """The next step; `pods` are those of the namespace."""
    if job["spec"].get("managedBy") not in (None, _MANAGER):
        return Decision()
    done = finished(job)
    if done or is_terminating(job):
        freed = tuple(map(_freed, tracked(job, pods)))
        return _after_end(job, done, freed, now=now) if done else Decision(freed)
    if claimed := claims(job, "pods", pods):
        return Decision(claimed)
    if started := _started(job, now=now):
        return Decision(started)
    counts = account(job, pods, is_over=False)
    end = verdict(job, counts, pods, now=now)
    if end is not None:
        return _end(job, pods, account(job, pods, is_over=True), end, now=now)
    steps, pause = _manage(job, pods, counts, now=now)
    waits = [pause or None, seconds_to_deadline(job, now=now)]
    return Decision((*_counted(job, pods, counts), *steps), min((w for w in waits if w is not None), default=None))


def _started(job: Object, *, now: datetime) -> tuple[Action, ...]:
    """Notes that the Job begins, is suspended, or goes on."""
    status = job.get("status") or {}
    suspended = condition(job, "Suspended")
    is_noted = suspended is not None and suspended.get("status") == "True"
    if bool(job["spec"].get("suspend")) == is_noted:
        if is_noted or status.get("startTime"):
            return ()
        return update_status(JOBS, job, {**status, "startTime": render_time(now)})
    reason, verb = ("JobResumed", "resumed") if is_noted else ("JobSuspended", "suspended")
    found = job_condition("Suspended", reason, f"Job {verb}", now, is_true=not is_noted)
    after = {**status, "conditions": with_conditions(status.get("conditions") or (), [found])}
    after.pop("startTime", None)
    if is_noted:
        after["startTime"] = render_time(now)
    return (Note(job, verb.capitalize(), f"Job {verb}"), *update_status(JOBS, job, after))


def _counted(job: Object, pods: Sequence[Object], counts: Account, *early: Object) -> tuple[Action, ...]:
    """Counts the pods that have ended; see `job_status` for the order."""
    noted = {**(_counts(job, pods, counts)), "uncountedTerminatedPods": _uncounted(counts)}
    before = (job.get("status") or {}).get("conditions") or ()
    first = _status(job, noted, with_conditions(before, early))
    last = {
        **first,
        **_totals(counts.total_succeeded(job), counts.total_failed),
        "uncountedTerminatedPods": {},
    }
    writes = [first, last] if counts.ended else [first]
    freed = [_freed(pod) for pod in counts.ended]
    first_write, *last_write = [update_status(JOBS, job, status) for status in writes]
    return (*first_write, *freed, *(last_write[0] if last_write else ()))


def _counts(job: Object, pods: Sequence[Object], counts: Account) -> Object:
    own = owned(job, pods)
    active = [pod for pod in own if is_active(pod)]
    succeeded = counts.total_succeeded(job) if is_indexed(job) else counts.counted_succeeded
    result: Object = {
        "ready": sum(map(is_ready, active)),
        "terminating": sum(map(is_ending, own)),
        **_totals(succeeded, counts.counted_failed),
        **indexes_of(job, counts),
    }
    return {"active": len(active), **result} if active else result


def _totals(succeeded: int, failed: int) -> Object:
    return {name: count for name, count in (("succeeded", succeeded), ("failed", failed)) if count}


def _uncounted(counts: Account) -> Object:
    lists = {"succeeded": list(counts.succeeded), "failed": list(counts.failed)}
    return {name: uids for name, uids in lists.items() if uids}


def _status(job: Object, counts: Object, conditions: Sequence[Object]) -> Object:
    before = job.get("status") or {}
    kept = {name: before[name] for name in ("startTime", "completionTime") if name in before}
    return {**kept, **counts, **({"conditions": list(conditions)} if conditions else {})}


def _end(job: Object, pods: Sequence[Object], counts: Account, end: Verdict, *, now: datetime) -> Decision:
    """Stops what still runs; the Job is over when nothing does."""
    own = owned(job, pods)
    stopped = tuple(_delete(job, pod) for pod in own if is_active(pod))
    early = condition(job, end.early_type) or job_condition(end.early_type, end.reason, end.message, now)
    noted = _counted(job, pods, counts, dict(early))
    if stopped or any(map(is_ending, own)):
        return Decision((*noted, *stopped))
    before = (job.get("status") or {}).get("conditions") or ()
    conditions = with_conditions(before, [dict(early), job_condition(end.type, end.reason, end.message, now)])
    final = _status(job, _counts(job, pods, counts), conditions) | _totals(counts.total_succeeded(job), counts.total_failed)
    final["uncountedTerminatedPods"] = {}
    if end.type == "Complete":
        final["completionTime"] = render_time(now)
        note = Note(job, "Completed", "Job completed")
    else:
        note = Note(job, end.reason, end.message, "Warning")
    return Decision((*noted, *update_status(JOBS, job, final), note))


def _manage(job: Object, pods: Sequence[Object], counts: Account, *, now: datetime) -> tuple[tuple[Action, ...], float]:
    """Pods to begin or to stop, and the seconds to wait where a failure was too recent."""
    own = owned(job, pods)
    active = [pod for pod in own if is_active(pod)]
    wanted = _wanted(job, counts, len(active))
    misplaced = [pod for pod in active if _is_out_of_range(job, pod)]
    surplus = [*misplaced, *(pod for pod in deletion_order(active) if pod not in misplaced)]
    surplus = surplus[: max(len(misplaced), len(active) - wanted)]
    if surplus:
        return tuple(_delete(job, pod) for pod in surplus[:_BURST]), 0.0
    ending = sum(map(is_ending, own)) if waits_for_end(job) else 0
    missing = min(wanted - len(active) - ending, _BURST)
    if missing <= 0:
        return (), 0.0
    if is_indexed(job):
        return _begin_indexes(job, own, counts, missing, now=now)
    pause = pause_before_next(job, own, now=now)
    if pause > 0:
        return (), pause
    return (_create(job, None),) * missing, 0.0


def _wanted(job: Object, counts: Account, active: int) -> int:
    """How many pods shall run now."""
    spec = job["spec"]
    if spec.get("suspend"):
        return 0
    parallelism = 1 if spec.get("parallelism") is None else int(spec["parallelism"])
    succeeded = counts.total_succeeded(job)
    if spec.get("completions") is None:
        # A work queue: when one found nothing left to do, no other is begun.
        return min(active, parallelism) if succeeded else parallelism
    return max(0, min(parallelism, int(spec["completions"]) - succeeded - len(counts.failed_indexes)))


def _begin_indexes(
    job: Object, own: Sequence[Object], counts: Account, missing: int, *, now: datetime
) -> tuple[tuple[Action, ...], float]:
    taken = counts.completed_indexes | counts.failed_indexes
    taken |= {index for pod in own if is_active(pod) and (index := index_of(pod)) is not None}
    if waits_for_end(job):
        taken |= {index for pod in own if is_ending(pod) and (index := index_of(pod)) is not None}
    free = [index for index in range(int(job["spec"]["completions"])) if index not in taken]
    failed = [pod for pod in own if has_failed(job, pod)]
    is_single = job["spec"].get("backoffLimitPerIndex") is not None
    actions: list[Action] = []
    pauses: list[float] = []
    for index in free:
        concerned = [pod for pod in own if index_of(pod) == index] if is_single else own
        pause = pause_before_next(job, concerned, now=now)
        if pause > 0:
            pauses.append(pause)
        elif len(actions) < missing:
            actions.append(_create(job, index, failures=index_failures(failed, index)))
    return tuple(actions), min(pauses, default=0.0) if len(actions) < missing else 0.0


def _is_out_of_range(job: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    if not is_indexed(job):
        return False
    index = index_of(pod)
    return index is None or index >= int(job["spec"]["completions"])


def _create(job: Object, index: int | None, *, failures: int = 0) -> Action:
    return Create("pods", new_pod(job, index, failures=failures), Note(job, "SuccessfulCreate", "Created pod: {name}"))


def _delete(job: Object, pod: Object) -> Action:
    return delete("pods", pod, Note(job, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}"))


def _freed(pod: Object) -> Action:
    return Update("pods", with_metadata(pod, finalizers=[f for f in pod["metadata"]["finalizers"] if f != FINALIZER]))


def _after_end(job: Object, done: Mapping[str, Any], freed: tuple[Action, ...], *, now: datetime) -> Decision:
    """A finished Job goes after `spec.ttlSecondsAfterFinished`, and its pods before it."""
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    if ttl is None or is_terminating(job):
        return Decision(freed)
    left = float(ttl - (now - parse_time(done["lastTransitionTime"])).total_seconds())
    if left > 0:
        return Decision(freed, left)
    return Decision((*freed, delete(JOBS, job, propagation="Foreground")))


def orphaned(pods: Sequence[Object], jobs: Sequence[Object]) -> tuple[Action, ...]:
    """Lets go pods whose Job no longer exists: nobody will count them."""
    uids = {uid_of(job) for job in jobs}
    return tuple(
        _freed(pod)
        for pod in pods
        if FINALIZER in (pod["metadata"].get("finalizers") or ()) and (controller_of(pod) or {}).get("uid") not in uids
    )


class JobController(WorkloadController):
    """Keeps every Job's pods as `decide` says."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        super().__init__(registry=registry, events=events, resource=JOBS, component="job-controller")

    def decide(self, obj: Object) -> Decision:
        return decide(obj, self.pods_of(obj), now=current_time())

    def decide_gone(self, key: NamespacedName) -> tuple[Action, ...]:
        pods, _ = self.registry.list("pods", key.namespace)
        return orphaned(pods, self.registry.list(JOBS, key.namespace)[0])
