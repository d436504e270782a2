"""CronJobs: a Job whenever the schedule says so, and no more finished ones than the history limits allow."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from remora.cluster.api.registry import Registry
from remora.cluster.controllers.actions import Action, Create, Decision, Note, delete, update_status
from remora.cluster.controllers.job import JOBS
from remora.cluster.controllers.job_status import finished
from remora.cluster.controllers.ownership import owned
from remora.cluster.controllers.schedule import Schedule, parse_schedule
from remora.cluster.controllers.workload import WorkloadController
from remora.cluster.events import Events
from remora.cluster.objects import Object, controller_reference, is_terminating, parse_time, render_time, uid_of
from remora.cluster.objects import now as current_time

CRONJOBS = "cronjobs.batch"
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_MANY = 100
_LONG = 24 * 3600.0
"""A timer is not set for longer; then it is looked again."""


class Due(msgspec.Struct, frozen=True):
    """The last moment that was missed (None: none), how many were, and the next one (None: never)."""

    last: datetime | None
    missed: int
    next: datetime | None


def decide(cronjob: Object, jobs: Sequence[Object], *, now: datetime) -> Decision:
    """The next step; `jobs` are those of the namespace."""
    own = owned(cronjob, jobs)
    running = [job for job in own if finished(job) is None]
    status = _status(cronjob, own, running)
    cleaned = (*_ended(cronjob, own), *_clean_up(cronjob, own))
    if is_terminating(cronjob) or cronjob["spec"].get("suspend"):
        return Decision((*cleaned, *update_status(CRONJOBS, cronjob, status)))
    try:
        schedule = parse_schedule(cronjob["spec"]["schedule"])
        zone = ZoneInfo(cronjob["spec"].get("timeZone") or "UTC")
    except (ValueError, LookupError, OSError) as error:
        what = f'unparseable schedule: "{cronjob["spec"]["schedule"]}" : {error}'
        return Decision((*cleaned, *_warning(cronjob, "UnparseableSchedule", what), *update_status(CRONJOBS, cronjob, status)))
    found = due(cronjob, schedule, now=now.astimezone(zone))
    actions = [*cleaned]
    if found.last is not None:
        begun, status = _begin(cronjob, jobs, running, status, found, now=now)
        actions += begun
    wait = min((found.next - now).total_seconds() + 0.1, _LONG) if found.next else None
    return Decision((*actions, *update_status(CRONJOBS, cronjob, status)), wait)


def due(cronjob: Mapping[str, Any], schedule: Schedule, *, now: datetime) -> Due:
    """What the schedule says since the last Job; the times are in the zone of `now`."""
    noted = (cronjob.get("status") or {}).get("lastScheduleTime")
    since = parse_time(noted or cronjob["metadata"]["creationTimestamp"]).astimezone(now.tzinfo)
    deadline = cronjob["spec"].get("startingDeadlineSeconds")
    if deadline is not None:
        since = max(since, now - timedelta(seconds=int(deadline)))
    last, missed, moment = None, 0, schedule.next(since)
    while moment is not None and moment <= now:
        last, missed = moment, missed + 1
        if missed > _MANY:
            # As many as these are not told apart; the newest is found from near the end.
            last, moment = _newest(schedule, last, now)
            break
        moment = schedule.next(moment)
    return Due(last, missed, moment)


def _newest(schedule: Schedule, last: datetime, now: datetime) -> tuple[datetime, datetime | None]:
    for back in (timedelta(hours=1), timedelta(days=1), timedelta(days=31), now - last):
        moment = schedule.next(max(last - timedelta(minutes=1), now - back))
        if moment is not None and moment <= now:
            while (following := schedule.next(moment)) is not None and following <= now:
                moment = following
            return moment, following
    return last, schedule.next(now)


def _begin(
    cronjob: Object, jobs: Sequence[Object], running: Sequence[Object], status: Object, found: Due, *, now: datetime
) -> tuple[tuple[Action, ...], Object]:
    assert found.last is not None
    policy = cronjob["spec"].get("concurrencyPolicy", "Allow")
    if policy == "Forbid" and running:
        message = "Not starting job because prior execution is running and concurrency policy is Forbid"
        return (Note(cronjob, "JobAlreadyActive", message),), status
    actions: list[Action] = []
    if found.missed > _MANY:
        what = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        actions += _warning(cronjob, "TooManyMissedTimes", what)
    if policy == "Replace":
        actions += (_delete(cronjob, job) for job in running)
    job = new_job(cronjob, found.last)
    if job["metadata"]["name"] not in {other["metadata"]["name"] for other in jobs}:
        actions.append(Create(JOBS, job, Note(cronjob, "SuccessfulCreate", "Created job {name}")))
    return tuple(actions), {**status, "lastScheduleTime": render_time(found.last.astimezone(UTC))}


def new_job(cronjob: Mapping[str, Any], moment: datetime) -> Object:
    """The Job of one moment, whose name follows from it, so that there cannot be two."""
    template = cronjob["spec"]["jobTemplate"]
    given = template.get("metadata") or {}
    metadata = {
        "name": f"{cronjob['metadata']['name']}-{int(moment.timestamp()) // 60}",
        "namespace": cronjob["metadata"]["namespace"],
        "annotations": {**(given.get("annotations") or {}), SCHEDULED: moment.isoformat().replace("+00:00", "Z")},
        "ownerReferences": [controller_reference(cronjob)],
    }
    if given.get("labels"):
        metadata["labels"] = given["labels"]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}


def _status(cronjob: Mapping[str, Any], own: Sequence[Object], running: Sequence[Object]) -> Object:
    status = {name: value for name, value in (cronjob.get("status") or {}).items() if name != "active"}
    ends = [job["status"]["completionTime"] for job in own if (job.get("status") or {}).get("completionTime")]
    if ends:
        status["lastSuccessfulTime"] = max(*ends, status.get("lastSuccessfulTime") or "")
    return {**status, "active": list(map(_reference, running))} if running else status


def _reference(job: Mapping[str, Any]) -> Object:
    metadata = job["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "uid": uid_of(job),
    }


def _ended(cronjob: Object, own: Sequence[Object]) -> Iterator[Action]:
    """What is noted of Jobs that were active when last looked at, and are over now."""
    active = {reference.get("uid") for reference in (cronjob.get("status") or {}).get("active") or ()}
    for job in own:
        if uid_of(job) in active and (end := finished(job)) is not None:
            message = f"Saw completed job: {job['metadata']['name']}, condition: {end['type']}"
            yield Note(cronjob, "SawCompletedJob", message)


def _clean_up(cronjob: Object, own: Sequence[Object]) -> tuple[Action, ...]:
    """Finished Jobs beyond the limits, the oldest first."""
    actions: list[Action] = []
    for type_, field, usual in (("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1)):
        limit = cronjob["spec"].get(field)
        ended = [job for job in own if (finished(job) or {}).get("type") == type_]
        ended.sort(key=lambda job: ((job.get("status") or {}).get("startTime") or "", job["metadata"]["name"]))
        surplus = ended[: max(0, len(ended) - (usual if limit is None else int(limit)))]
        actions += (_delete(cronjob, job) for job in surplus if not is_terminating(job))
    return tuple(actions)


def _delete(cronjob: Object, job: Object) -> Action:
    return delete(JOBS, job, Note(cronjob, "SuccessfulDelete", f"Deleted job {job['metadata']['name']}"))


def _warning(cronjob: Object, reason: str, message: str) -> tuple[Action, ...]:
    return (Note(cronjob, reason, message, "Warning"),)


class CronJobController(WorkloadController):
    """Begins every CronJob's Jobs as `decide` says."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        super().__init__(registry=registry, events=events, resource=CRONJOBS, component="cronjob-controller", also=(JOBS,))

    def decide(self, obj: Object) -> Decision:
        jobs, _ = self.registry.list(JOBS, obj["metadata"]["namespace"])
        return decide(obj, jobs, now=current_time())
