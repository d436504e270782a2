"""Pods as controllers see them: made from a template, available after a while, given up in a certain order. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from remora.cluster.objects import (
    Object,
    annotations_of,
    condition,
    controller_reference,
    is_ready,
    parse_time,
)

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def pod_of(owner: Mapping[str, Any], template: Mapping[str, Any], **metadata: Any) -> Object:
    """A new pod of the template, whose name the registry completes unless `metadata` has one."""
    given = template.get("metadata") or {}
    kept = {part: given[part] for part in ("labels", "annotations", "finalizers") if given.get(part)}
    named = {} if "name" in metadata else {"generateName": f"{owner['metadata']['name']}-"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **kept,
            **named,
            "namespace": owner["metadata"]["namespace"],
            "ownerReferences": [controller_reference(owner)],
            **metadata,
        },
        "spec": template["spec"],
    }


def phase_of(pod: Mapping[str, Any]) -> str:
    return (pod.get("status") or {}).get("phase") or "Pending"


def restarts_of(pod: Mapping[str, Any]) -> int:
    """Of the container that was restarted most often."""
    return max((c.get("restartCount", 0) for c in (pod.get("status") or {}).get("containerStatuses") or ()), default=0)


def ready_since(pod: Mapping[str, Any]) -> str:
    """The time at which it became ready, "" if it is not."""
    return (condition(pod, "Ready") or {}).get("lastTransitionTime") or "" if is_ready(pod) else ""


def seconds_to_availability(pod: Mapping[str, Any], min_ready: int, *, now: datetime) -> float:
    """How long a ready pod must go on being so until it counts as available; 0 or less if it does."""
    since = ready_since(pod)
    if not min_ready or not since:
        return 0.0
    return float(min_ready - (now - parse_time(since)).total_seconds())


def is_available(pod: Mapping[str, Any], min_ready: int, *, now: datetime) -> bool:
    return is_ready(pod) and seconds_to_availability(pod, min_ready, now=now) <= 0


def next_availability(pods: Iterable[Mapping[str, Any]], min_ready: int, *, now: datetime) -> float | None:
    """After how many seconds the next of them becomes available by waiting alone; None if none does."""
    waits = (seconds_to_availability(pod, min_ready, now=now) for pod in pods if is_ready(pod))
    return min((wait for wait in waits if wait > 0), default=None)


def min_ready_seconds(owner: Mapping[str, Any]) -> int:
    return int(owner["spec"].get("minReadySeconds") or 0)


def deletion_order(pods: Sequence[Object]) -> list[Object]:
    """Those to delete first in front (Kubernetes `ActivePodsWithRanks`): pending, not ready, cheap, ready for the shortest
    time, restarted most often, newest. How many share a node says nothing where there is one."""
    newest_first = sorted(
        pods, key=lambda pod: (pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"]), reverse=True
    )
    most_restarted_first = sorted(newest_first, key=restarts_of, reverse=True)
    latest_ready_first = sorted(most_restarted_first, key=ready_since, reverse=True)
    return sorted(latest_ready_first, key=_rank)


def _rank(pod: Mapping[str, Any]) -> tuple[bool, int, bool, int]:
    return (bool(pod["spec"].get("nodeName")), _PHASES.get(phase_of(pod), 0), is_ready(pod), _cost(pod))


def _cost(pod: Mapping[str, Any]) -> int:
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0
