"""Rows of what makes pods: Deployments, ReplicaSets, Jobs and the like. Pure."""

from datetime import datetime

from remora.cluster.api.table.autoscaling import targets
from remora.cluster.api.table.columns import (
    AGE,
    NAME,
    NONE,
    Column,
    MakeCell,
    Object,
    at,
    containers,
    field,
    human_duration,
    render_labels,
    render_selector,
    since,
    wide,
)

_TEMPLATE = containers("spec.template.spec.containers")


def _of_wanted(path: str) -> MakeCell:
    """`ready/wanted`."""
    return lambda obj, now: f"{at(obj, path, 0)}/{at(obj, 'spec.replicas', 0)}"


def _selector(obj: Object, now: datetime) -> str:
    return render_selector(at(obj, "spec.selector"))


def _number(name: str, path: str) -> Column:
    return Column(name, field(path, 0))


DEPLOYMENTS = (
    NAME,
    Column("Ready", _of_wanted("status.readyReplicas")),
    _number("Up-to-date", "status.updatedReplicas"),
    _number("Available", "status.availableReplicas"),
    AGE,
    *_TEMPLATE,
    wide("Selector", _selector),
)
REPLICASETS = (
    NAME,
    _number("Desired", "spec.replicas"),
    _number("Current", "status.replicas"),
    _number("Ready", "status.readyReplicas"),
    AGE,
    *_TEMPLATE,
    wide("Selector", _selector),
)
REPLICATION_CONTROLLERS = (
    *REPLICASETS[:-1],
    wide("Selector", lambda obj, now: render_labels(at(obj, "spec.selector"))),
)
STATEFULSETS = (NAME, Column("Ready", _of_wanted("status.readyReplicas")), AGE, *_TEMPLATE)
DAEMONSETS = (
    NAME,
    _number("Desired", "status.desiredNumberScheduled"),
    _number("Current", "status.currentNumberScheduled"),
    _number("Ready", "status.numberReady"),
    _number("Up-to-date", "status.updatedNumberScheduled"),
    _number("Available", "status.numberAvailable"),
    Column("Node Selector", lambda obj, now: render_labels(at(obj, "spec.template.spec.nodeSelector"))),
    AGE,
    *_TEMPLATE,
    wide("Selector", _selector),
)
PODTEMPLATES = (
    NAME,
    *(Column(column.name, column.cell) for column in containers("template.spec.containers")),
    Column("Pod Labels", lambda obj, now: render_labels(at(obj, "template.metadata.labels"))),
)


def _job_status(obj: Object, now: datetime) -> str:
    conditions = {c["type"]: c["status"] == "True" for c in at(obj, "status.conditions", ())}
    for type_, word in (("Complete", "Complete"), ("Failed", "Failed")):
        if conditions.get(type_):
            return word
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for type_ in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if conditions.get(type_):
            return type_
    return "Running"


def _completions(obj: Object, now: datetime) -> str:
    done, wanted = at(obj, "status.succeeded", 0), at(obj, "spec.completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    parallel = at(obj, "spec.parallelism", 0)
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _job_duration(obj: Object, now: datetime) -> str:
    begun, done = at(obj, "status.startTime"), at(obj, "status.completionTime")
    if not begun:
        return ""
    end = datetime.fromisoformat(done) if done else now
    return human_duration((end - datetime.fromisoformat(begun)).total_seconds())


JOBS = (
    NAME,
    Column("Status", _job_status),
    Column("Completions", _completions),
    Column("Duration", _job_duration),
    AGE,
    *_TEMPLATE,
    wide("Selector", _selector),
)


def _last_schedule(obj: Object, now: datetime) -> str:
    last = at(obj, "status.lastScheduleTime")
    return since(last, now) if last else NONE


CRONJOBS = (
    NAME,
    Column("Schedule", field("spec.schedule")),
    Column("Timezone", field("spec.timeZone", NONE)),
    Column("Suspend", lambda obj, now: str(bool(at(obj, "spec.suspend", False)))),
    Column("Active", lambda obj, now: len(at(obj, "status.active", ())), type="integer"),
    Column("Last Schedule", _last_schedule),
    AGE,
    *containers("spec.jobTemplate.spec.template.spec.containers"),
    wide("Selector", lambda obj, now: render_selector(at(obj, "spec.jobTemplate.spec.selector"))),
)


def _reference(path: str) -> MakeCell:
    return lambda obj, now: f"{at(obj, f'{path}.kind', '')}/{at(obj, f'{path}.name', '')}"


AUTOSCALERS = (
    NAME,
    Column("Reference", _reference("spec.scaleTargetRef")),
    Column("Targets", targets),
    Column("MinPods", lambda obj, now: str(at(obj, "spec.minReplicas", "<unset>"))),
    Column("MaxPods", lambda obj, now: at(obj, "spec.maxReplicas", 0)),
    _number("Replicas", "status.currentReplicas"),
    AGE,
)


def _controller(obj: Object, now: datetime) -> str:
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            group = reference["apiVersion"].rpartition("/")[0]
            kind = reference["kind"].lower()
            return f"{kind}.{group}/{reference['name']}" if group else f"{kind}/{reference['name']}"
    return NONE


CONTROLLER_REVISIONS = (NAME, Column("Controller", _controller), Column("Revision", field("revision", 0)), AGE)
DISRUPTION_BUDGETS = (
    NAME,
    Column("Min Available", lambda obj, now: str(at(obj, "spec.minAvailable", "N/A"))),
    Column("Max Unavailable", lambda obj, now: str(at(obj, "spec.maxUnavailable", "N/A"))),
    _number("Allowed Disruptions", "status.disruptionsAllowed"),
    AGE,
)
