"""The pods of a Job: which index each works on, how it ended, and what that means. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from remora.cluster.controllers.ownership import owned
from remora.cluster.controllers.pods import phase_of, pod_of
from remora.cluster.objects import Object, annotations_of, condition, is_active, is_terminating, labels_of, parse_time

FINALIZER = "batch.kubernetes.io/job-tracking"
"""Keeps a pod until its end is counted in the Job's status."""
INDEX = "batch.kubernetes.io/job-completion-index"
INDEX_FAILURES = "batch.kubernetes.io/job-index-failure-count"
_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(minutes=10)
_INDEX_VARIABLE = {
    "name": "JOB_COMPLETION_INDEX",
    "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}},
}


def is_indexed(job: Mapping[str, Any]) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")


def new_pod(job: Object, index: int | None, *, failures: int = 0) -> Object:
    """The next pod, of an index if the Job counts them; `failures` is how often the index failed before."""
    template = job["spec"]["template"]
    pod = pod_of(job, template)
    metadata = {**pod["metadata"], "finalizers": [*(pod["metadata"].get("finalizers") or ()), FINALIZER]}
    if index is None:
        return {**pod, "metadata": metadata}
    name = job["metadata"]["name"]
    marks = {INDEX: str(index)}
    counts = {INDEX_FAILURES: str(failures)} if job["spec"].get("backoffLimitPerIndex") is not None else {}
    metadata["generateName"] = f"{name}-{index}-"
    metadata["labels"] = {**labels_of(pod), **marks}
    metadata["annotations"] = {**annotations_of(pod), **marks, **counts}
    spec = {"hostname": f"{name}-{index}", **pod["spec"]}
    for part in ("initContainers", "containers"):
        if part in spec:
            spec[part] = [_with_index(container) for container in spec[part]]
    return {**pod, "metadata": metadata, "spec": spec}


def _with_index(container: Object) -> Object:
    env = container.get("env") or []
    if any(variable["name"] == _INDEX_VARIABLE["name"] for variable in env):
        return container
    return {**container, "env": [*env, _INDEX_VARIABLE]}


def index_of(pod: Mapping[str, Any]) -> int | None:
    text = annotations_of(pod).get(INDEX, "")
    return int(text) if text.isdecimal() else None


def index_failures(pods: Iterable[Mapping[str, Any]], index: int) -> int:
    """How often an index has failed, as its failed pods that still exist say."""
    counts = (int(annotations_of(pod).get(INDEX_FAILURES, "0")) + 1 for pod in pods if index_of(pod) == index)
    return max(counts, default=0)


def parse_indexes(text: str | None) -> frozenset[int]:
    """`0,2-4` as numbers."""
    found: set[int] = set()
    for part in filter(None, (text or "").split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def render_indexes(indexes: Iterable[int]) -> str:
    """Three or more in a row are written as the first and the last."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(f"{a}-{b}" if b > a + 1 else ",".join(map(str, range(a, b + 1))) for a, b in runs)


def tracked(job: Mapping[str, Any], pods: Sequence[Object]) -> list[Object]:
    """The Job's own pods whose end is not yet accounted for."""
    return [pod for pod in owned(job, pods) if FINALIZER in (pod["metadata"].get("finalizers") or ())]


def has_failed(job: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """One that is being deleted counts already, unless the Job waits with replacements (`podReplacementPolicy: Failed`)."""
    if phase_of(pod) == "Failed":
        return True
    return not waits_for_end(job) and is_terminating(pod) and phase_of(pod) != "Succeeded"


def waits_for_end(job: Mapping[str, Any]) -> bool:
    return bool(job["spec"].get("podReplacementPolicy") == "Failed")


def is_ending(pod: Mapping[str, Any]) -> bool:
    return is_terminating(pod) and phase_of(pod) not in ("Succeeded", "Failed")


def failure_action(job: Mapping[str, Any], pod: Mapping[str, Any]) -> tuple[str, str]:
    """What `spec.podFailurePolicy` says of a failed pod (Count if nothing), and why."""
    for number, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        if why := _match(rule, pod):
            place = f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"
            return str(rule["action"]), why.format(pod=place, number=number, action=rule["action"])
    return "Count", ""


def _match(rule: Mapping[str, Any], pod: Mapping[str, Any]) -> str:
    """Why a rule applies, "" if it does not."""
    if codes := rule.get("onExitCodes"):
        for container in _container_statuses(pod):
            code = ((container.get("state") or {}).get("terminated") or {}).get("exitCode", 0)
            is_meant = codes.get("containerName") in (None, container["name"])
            if is_meant and code and (code in codes["values"]) == (codes["operator"] == "In"):
                return (
                    f"Container {container['name']} for pod {{pod}} failed with exit code {code} matching {{action}} rule "
                    "at index {number}"
                )
    for pattern in rule.get("onPodConditions") or ():
        found = condition(pod, pattern["type"])
        if found is not None and found.get("status") == pattern.get("status", "True"):
            return f"Pod {{pod}} has condition {pattern['type']} matching {{action}} rule at index {{number}}"
    return ""


def _container_statuses(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def restarts_in_place(pods: Iterable[Mapping[str, Any]]) -> int:
    """How often containers of pods that still run were restarted (`restartPolicy: OnFailure`)."""
    running = (pod for pod in pods if is_active(pod) and phase_of(pod) in ("Running", "Pending"))
    return sum(int(found.get("restartCount", 0)) for pod in running for found in _container_statuses(pod))


def pause_before_next(job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]], *, now: datetime) -> float:
    """Seconds until a failed pod may be replaced: 10, doubled with each failure since the last success, at most 10 minutes."""
    succeeded = [_ended_at(pod, now) for pod in pods if phase_of(pod) == "Succeeded"]
    last_success = max(succeeded, default=datetime.min.replace(tzinfo=now.tzinfo))
    failures = [_ended_at(pod, now) for pod in pods if has_failed(job, pod)]
    counted = [moment for moment in failures if moment > last_success]
    if not counted:
        return 0.0
    pause = min(_FIRST_PAUSE * (1 << min(len(counted) - 1, 10)), _LONGEST_PAUSE)
    return max(0.0, (max(counted) + pause - now).total_seconds())


def _ended_at(pod: Mapping[str, Any], now: datetime) -> datetime:
    terminated = [(found.get("state") or {}).get("terminated") or {} for found in _container_statuses(pod)]
    times = [parse_time(found["finishedAt"]) for found in terminated if found.get("finishedAt")]
    if times:
        return max(times)
    metadata = pod["metadata"]
    text = metadata.get("deletionTimestamp") or (condition(pod, "Ready") or {}).get("lastTransitionTime")
    return min(parse_time(text or metadata["creationTimestamp"]), now)
