"""What a Job's status says: how its pods' ends are counted exactly once, and when it is over. Pure.

A pod's end is counted in three writes: its uid is noted in `uncountedTerminatedPods`, its finalizer is taken away, the uid
becomes a count. Whoever is killed in between can tell from what exists how far it came.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from remora.cluster.controllers.job_pods import (
    failure_action,
    has_failed,
    index_failures,
    index_of,
    is_indexed,
    parse_indexes,
    render_indexes,
    restarts_in_place,
    tracked,
)
from remora.cluster.controllers.ownership import owned
from remora.cluster.controllers.pods import phase_of
from remora.cluster.objects import Object, condition, parse_time, render_time, uid_of

FINISHED = ("Complete", "Failed")
_MANY = 2**31 - 1


class Account(msgspec.Struct, frozen=True):
    """The Job's pods, counted. `succeeded` and `failed` are uids that are not in a count yet, whose pods are in `ended`."""

    ended: tuple[Object, ...]
    succeeded: tuple[str, ...]
    failed: tuple[str, ...]
    counted_succeeded: int
    counted_failed: int
    completed_indexes: frozenset[int]
    failed_indexes: frozenset[int]

    def total_succeeded(self, job: Mapping[str, Any]) -> int:
        return len(self.completed_indexes) if is_indexed(job) else self.counted_succeeded + len(self.succeeded)

    @property
    def total_failed(self) -> int:
        return self.counted_failed + len(self.failed)


class Verdict(msgspec.Struct, frozen=True):
    """That the Job is to end, as `type` (Complete or Failed) and why."""

    type: str
    reason: str
    message: str

    @property
    def early_type(self) -> str:
        """The condition that says so while pods still stop."""
        return "SuccessCriteriaMet" if self.type == "Complete" else "FailureTarget"


def account(job: Mapping[str, Any], pods: Sequence[Object], *, is_over: bool) -> Account:
    """Counts the pods. When the Job `is_over`, every pod that did not succeed has failed."""
    status = job.get("status") or {}
    noted = status.get("uncountedTerminatedPods") or {}
    still = tracked(job, pods)
    uids = {uid_of(pod) for pod in still}
    earlier = {part: [uid for uid in noted.get(part) or () if uid in uids] for part in ("succeeded", "failed")}
    gone = {part: len(noted.get(part) or ()) - len(earlier[part]) for part in earlier}
    succeeded = [pod for pod in still if phase_of(pod) == "Succeeded"]
    failed = [pod for pod in still if pod not in succeeded and (is_over or has_failed(job, pod))]
    counted = [uid_of(pod) for pod in failed if failure_action(job, pod)[0] != "Ignore" or uid_of(pod) in earlier["failed"]]
    completions = _completions(job)
    indexes = {index for pod in succeeded if (index := index_of(pod)) is not None}
    completed = frozenset(i for i in parse_indexes(status.get("completedIndexes")) | indexes if i < completions)
    return Account(
        ended=(*succeeded, *failed),
        succeeded=tuple(map(uid_of, succeeded)),
        failed=tuple(counted),
        counted_succeeded=int(status.get("succeeded") or 0) + gone["succeeded"],
        counted_failed=int(status.get("failed") or 0) + gone["failed"],
        completed_indexes=completed if is_indexed(job) else frozenset(),
        failed_indexes=_failed_indexes(job, pods, completed),
    )


def _failed_indexes(job: Mapping[str, Any], pods: Sequence[Object], completed: frozenset[int]) -> frozenset[int]:
    limit = job["spec"].get("backoffLimitPerIndex")
    if limit is None:
        return frozenset()
    before = parse_indexes((job.get("status") or {}).get("failedIndexes"))
    failed = [pod for pod in owned(job, pods) if has_failed(job, pod) and failure_action(job, pod)[0] != "Ignore"]
    given_up = {index_of(pod) for pod in failed if failure_action(job, pod)[0] == "FailIndex"}
    now = {i for pod in failed if (i := index_of(pod)) is not None and (i in given_up or index_failures(failed, i) > limit)}
    return frozenset(i for i in before | now if i < _completions(job)) - completed


def verdict(job: Mapping[str, Any], counts: Account, pods: Sequence[Object], *, now: datetime) -> Verdict | None:
    """Whether the Job is to end. What was decided once stays decided."""
    for type_ in FINISHED:
        early = condition(job, Verdict(type_, "", "").early_type)
        if early is not None and early.get("status") == "True":
            return Verdict(type_, early.get("reason", ""), early.get("message", ""))
    return _failure(job, counts, pods, now=now) or _success(job, counts, pods)


def _failure(job: Mapping[str, Any], counts: Account, pods: Sequence[Object], *, now: datetime) -> Verdict | None:
    for pod in counts.ended:
        action, why = failure_action(job, pod) if has_failed(job, pod) else ("", "")
        if action == "FailJob":
            return Verdict("Failed", "PodFailurePolicy", why)
    limit = int(_given(job, "backoffLimit", 6))
    restarts = restarts_in_place(owned(job, pods)) if job["spec"]["template"]["spec"].get("restartPolicy") == "OnFailure" else 0
    if counts.total_failed > limit or (restarts >= limit if limit else restarts > 0):
        return Verdict("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left = seconds_to_deadline(job, now=now)
    if left is not None and left <= 0:
        return Verdict("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    return _failure_of_indexes(job, counts)


def _failure_of_indexes(job: Mapping[str, Any], counts: Account) -> Verdict | None:
    if not counts.failed_indexes:
        return None
    if len(counts.failed_indexes) > int(_given(job, "maxFailedIndexes", _MANY)):
        message = "Job has exceeded the specified maximal number of failed indexes"
        return Verdict("Failed", "MaxFailedIndexesExceeded", message)
    if len(counts.failed_indexes | counts.completed_indexes) >= _completions(job):
        return Verdict("Failed", "FailedIndexes", "Job has failed indexes")
    return None


def _success(job: Mapping[str, Any], counts: Account, pods: Sequence[Object]) -> Verdict | None:
    for number, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        listed = parse_indexes(rule["succeededIndexes"]) if rule.get("succeededIndexes") else None
        reached = counts.completed_indexes & listed if listed is not None else counts.completed_indexes
        if len(reached) >= int(rule.get("succeededCount") or (len(listed) if listed else _MANY)):
            return Verdict("Complete", "SuccessPolicy", f"Matched rules at index {number}")
    succeeded = counts.total_succeeded(job)
    if job["spec"].get("completions") is None:
        working = [pod for pod in owned(job, pods) if phase_of(pod) not in ("Succeeded", "Failed")]
        is_reached = succeeded > 0 and not working
    else:
        is_reached = succeeded >= _completions(job)
    return Verdict("Complete", "CompletionsReached", "Reached expected number of succeeded pods") if is_reached else None


def seconds_to_deadline(job: Mapping[str, Any], *, now: datetime) -> float | None:
    """How much of `spec.activeDeadlineSeconds` is left; None if the Job has no deadline, or does not run."""
    started, limit = (job.get("status") or {}).get("startTime"), job["spec"].get("activeDeadlineSeconds")
    if limit is None or not started or job["spec"].get("suspend"):
        return None
    return float(limit - (now - parse_time(started)).total_seconds())


def finished(job: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The condition that says that the Job is over, or None."""
    found = (condition(job, type_) for type_ in FINISHED)
    return next((c for c in found if c is not None and c.get("status") == "True"), None)


def job_condition(type_: str, reason: str, message: str, now: datetime, *, is_true: bool = True) -> Object:
    return {
        "type": type_,
        "status": "True" if is_true else "False",
        "lastProbeTime": render_time(now),
        "lastTransitionTime": render_time(now),
        "reason": reason,
        "message": message,
    }


def indexes_of(job: Mapping[str, Any], counts: Account) -> Object:
    """`completedIndexes` and `failedIndexes`, where the Job has such."""
    if not is_indexed(job):
        return {}
    result = {"completedIndexes": render_indexes(counts.completed_indexes)} if counts.completed_indexes else {}
    if job["spec"].get("backoffLimitPerIndex") is not None:
        result["failedIndexes"] = render_indexes(counts.failed_indexes)
    return result


def _completions(job: Mapping[str, Any]) -> int:
    return int(_given(job, "completions", _MANY))


def _given(job: Mapping[str, Any], field: str, default: int) -> int:
    value = job["spec"].get(field)
    return default if value is None else int(value)
