"""Checks of Jobs, CronJobs, autoscalers and disruption budgets."""

import re
from collections.abc import Iterator

from remora.cluster.api.errors import Cause, invalid_value, required, unsupported
from remora.cluster.api.validation.fields import Check, CheckUpdate, Object, check_not_negative, check_selector
from remora.cluster.api.validation.pods import check_pod_spec

_CONCURRENCY = ("Allow", "Forbid", "Replace")
_COMPLETION_MODES = ("Indexed", "NonIndexed")
_COUNTS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
_LONGEST_CRONJOB_NAME = 52
_FIELD = r"(\*|\?|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(/[0-9]+)?"
_SCHEDULE = re.compile(rf"(({_FIELD})(,{_FIELD})*)(\s+({_FIELD})(,{_FIELD})*){{4}}")
_MACROS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})


def _check_job(job: Object) -> Iterator[Cause]:
    yield from _check_job_spec(job["spec"], "spec")


def _check_job_spec(spec: Object, field: str) -> Iterator[Cause]:
    for name in _COUNTS:
        yield from check_not_negative(spec.get(name), f"{field}.{name}")
    yield from check_selector(spec.get("selector"), f"{field}.selector")
    mode = spec.get("completionMode")
    if mode is not None and mode not in _COMPLETION_MODES:
        yield unsupported(f"{field}.completionMode", mode, ("NonIndexed", "Indexed"))
    if mode == "Indexed" and spec.get("completions") is None:
        yield required(f"{field}.completions", "when completion mode is Indexed")
    template = (spec.get("template") or {}).get("spec") or {}
    yield from check_pod_spec(template, f"{field}.template.spec")
    policy = template.get("restartPolicy")
    if policy == "Always":
        yield Cause(
            f"{field}.template.spec.restartPolicy",
            "FieldValueRequired",
            'Required value: valid values: "OnFailure", "Never"',
        )


def _check_job_update(job: Object, before: Object) -> Iterator[Cause]:
    for name in ("selector", "completionMode"):
        if job["spec"].get(name) != before["spec"].get(name):
            yield invalid_value(f"spec.{name}", job["spec"].get(name), "field is immutable")
    if job["spec"].get("completionMode") != "Indexed" and job["spec"].get("completions") != before["spec"].get("completions"):
        yield invalid_value("spec.completions", job["spec"].get("completions"), "field is immutable")
    if not before["spec"].get("suspend") and job["spec"]["template"] != before["spec"]["template"]:
        yield invalid_value("spec.template", job["spec"]["template"], "field is immutable")


def _check_cronjob(cronjob: Object) -> Iterator[Cause]:
    spec, name = cronjob["spec"], str(cronjob["metadata"].get("name", ""))
    schedule = str(spec.get("schedule") or "")
    if not schedule:
        yield required("spec.schedule")
    elif schedule not in _MACROS and not schedule.startswith("@every ") and not _SCHEDULE.fullmatch(schedule):
        fields = len(schedule.split())
        why = f"expected exactly 5 fields, found {fields}: [{' '.join(schedule.split())}]"
        yield invalid_value("spec.schedule", schedule, why if fields != 5 else f"failed to parse schedule: {schedule}")
    if spec.get("concurrencyPolicy") not in _CONCURRENCY:
        yield unsupported("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), _CONCURRENCY)
    for count in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit", "startingDeadlineSeconds"):
        yield from check_not_negative(spec.get(count), f"spec.{count}")
    yield from _check_job_spec(spec["jobTemplate"]["spec"], "spec.jobTemplate.spec")
    if len(name) > _LONGEST_CRONJOB_NAME:
        yield invalid_value("metadata.name", name, "must be no more than 52 characters")


def _check_autoscaler(autoscaler: Object) -> Iterator[Cause]:
    spec = autoscaler["spec"]
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if least is not None and least < 1:
        yield invalid_value("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        yield invalid_value("spec.maxReplicas", most, "must be greater than 0")
    elif least is not None and most < least:
        yield invalid_value("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    target = spec.get("scaleTargetRef") or {}
    yield from (required(f"spec.scaleTargetRef.{name}") for name in ("kind", "name") if not target.get(name))


_PERCENTAGE = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"  # noqa: E501


def _check_budget(budget: Object) -> Iterator[Cause]:
    spec = budget.get("spec") or {}
    yield from check_selector(spec.get("selector"), "spec.selector")
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        shown = {key: spec[key] for key in ("minAvailable", "maxUnavailable")}
        yield invalid_value("spec", shown, "minAvailable and maxUnavailable cannot be both set")
    for name in ("minAvailable", "maxUnavailable"):
        value = spec.get(name)
        if isinstance(value, str) and not re.fullmatch("[0-9]+%", value):
            yield invalid_value(f"spec.{name}", value, _PERCENTAGE)
        yield from check_not_negative(value, f"spec.{name}")


_CHANGEABLE = ("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
               "persistentVolumeClaimRetentionPolicy", "minReadySeconds")  # fmt: skip
_FIXED = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def _check_statefulset_update(statefulset: Object, before: Object) -> Iterator[Cause]:
    fixed = [{key: value for key, value in each["spec"].items() if key not in _CHANGEABLE} for each in (statefulset, before)]
    if fixed[0] != fixed[1]:
        yield Cause("spec", "FieldValueForbidden", f"Forbidden: {_FIXED}")


BATCH: dict[str, Check] = {
    "cronjobs.batch": _check_cronjob,
    "horizontalpodautoscalers.autoscaling": _check_autoscaler,
    "jobs.batch": _check_job,
    "poddisruptionbudgets.policy": _check_budget,
}

BATCH_UPDATES: dict[str, CheckUpdate] = {
    "jobs.batch": _check_job_update,
    "statefulsets.apps": _check_statefulset_update,
}
