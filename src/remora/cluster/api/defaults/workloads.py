"""Defaults of what makes pods: Deployments and their kin."""

from remora.cluster.api.defaults.pods import default_template
from remora.cluster.api.defaults.values import Default, Object, fill, part

_A_QUARTER = "25%"
_DAEMONSET_COUNTS = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
_CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
_JOB_NAME = "batch.kubernetes.io/job-name"


def _default_deployment(deployment: Object) -> None:
    spec = part(deployment, "spec")
    fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = part(spec, "strategy")
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(part(strategy, "rollingUpdate"), maxUnavailable=_A_QUARTER, maxSurge=_A_QUARTER)
    default_template(part(spec, "template"))
    part(deployment, "status")


def _default_replicaset(replicaset: Object) -> None:
    spec = part(replicaset, "spec")
    fill(spec, replicas=1)
    default_template(part(spec, "template"))
    fill(part(replicaset, "status"), replicas=0)


def _default_replication_controller(controller: Object) -> None:
    spec = part(controller, "spec")
    labels = part(part(spec, "template"), "metadata").get("labels")
    if labels and not spec.get("selector"):
        spec["selector"] = labels
    _default_replicaset(controller)


def _default_statefulset(statefulset: Object) -> None:
    spec = part(statefulset, "spec")
    fill(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
    fill(part(spec, "persistentVolumeClaimRetentionPolicy"), whenDeleted="Retain", whenScaled="Retain")
    strategy = part(spec, "updateStrategy")
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(part(strategy, "rollingUpdate"), partition=0)
    default_template(part(spec, "template"))
    fill(part(statefulset, "status"), replicas=0, availableReplicas=0)


def _default_daemonset(daemonset: Object) -> None:
    spec = part(daemonset, "spec")
    fill(spec, revisionHistoryLimit=10)
    strategy = part(spec, "updateStrategy")
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(part(strategy, "rollingUpdate"), maxUnavailable=1, maxSurge=0)
    default_template(part(spec, "template"))
    fill(part(daemonset, "status"), **dict.fromkeys(_DAEMONSET_COUNTS, 0))


def _default_job_spec(spec: Object) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    fill(
        spec,
        parallelism=1,
        backoffLimit=6,
        completionMode="NonIndexed",
        suspend=False,
        podReplacementPolicy="TerminatingOrFailed",
        manualSelector=False,
    )
    default_template(part(spec, "template"))


def _default_job(job: Object) -> None:
    spec = part(job, "spec")
    _default_job_spec(spec)
    uid = job["metadata"].get("uid")
    if not spec["manualSelector"] and uid:
        labels = part(part(spec["template"], "metadata"), "labels")
        given = {
            _CONTROLLER_UID: uid,
            "controller-uid": uid,
            _JOB_NAME: job["metadata"]["name"],
            "job-name": job["metadata"]["name"],
        }
        for name, value in given.items():
            labels.setdefault(name, value)
        fill(spec, selector={"matchLabels": {_CONTROLLER_UID: uid}})
    part(job, "status")


def _default_cronjob(cronjob: Object) -> None:
    spec = part(cronjob, "spec")
    fill(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    template = part(part(part(spec, "jobTemplate"), "spec"), "template")
    default_template(template)
    part(cronjob, "status")


def _default_autoscaler(autoscaler: Object) -> None:
    spec = part(autoscaler, "spec")
    fill(spec, minReplicas=1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    status = part(autoscaler, "status")
    fill(status, desiredReplicas=0)
    status.setdefault("currentMetrics", None)


def _default_disruption_budget(budget: Object) -> None:
    fill(part(budget, "status"), disruptionsAllowed=0, currentHealthy=0, desiredHealthy=0, expectedPods=0)


def _default_pod_template(template: Object) -> None:
    default_template(part(template, "template"))


WORKLOADS: dict[str, Default] = {
    "cronjobs.batch": _default_cronjob,
    "daemonsets.apps": _default_daemonset,
    "deployments.apps": _default_deployment,
    "horizontalpodautoscalers.autoscaling": _default_autoscaler,
    "jobs.batch": _default_job,
    "poddisruptionbudgets.policy": _default_disruption_budget,
    "podtemplates": _default_pod_template,
    "replicasets.apps": _default_replicaset,
    "replicationcontrollers": _default_replication_controller,
    "statefulsets.apps": _default_statefulset,
}
