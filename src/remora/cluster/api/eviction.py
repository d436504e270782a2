"""Whether a pod may be evicted: what its PodDisruptionBudget says, and what that says afterwards. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from remora.cluster.api.errors import ApiError, Cause
from remora.cluster.objects import Object, condition, is_ready, is_terminating, labels_of, render_time, selector_matches

_VIOLATED = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


def charged(pod: Object, budgets: Sequence[Object], *, now: datetime) -> Object | None:
    """The budget of the pod's namespace that the eviction uses up one disruption of, after that; None if it costs none.

    Raises:
        ApiError: TooManyRequests, when the budget does not allow it now; a client tries again later.
    """
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed", "Pending") or is_terminating(pod):
        return None
    found = [budget for budget in budgets if selector_matches(budget["spec"].get("selector"), labels_of(pod))]
    if len(found) > 1:
        raise ApiError(500, "InternalError", _SEVERAL)
    if not found or _is_free(pod, found[0]):
        return None
    _check(found[0])
    return _after(pod, found[0], now=now)


def _is_free(pod: Mapping[str, Any], budget: Mapping[str, Any]) -> bool:
    """Whether the pod serves nobody and may go: always, or while the others suffice (`unhealthyPodEvictionPolicy`)."""
    if is_ready(pod):
        return False
    status = budget.get("status") or {}
    desired = status.get("desiredHealthy", 0)
    is_enough = bool(desired) and status.get("currentHealthy", 0) >= desired
    return budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow" or is_enough


def _check(budget: Mapping[str, Any]) -> None:
    name, status = budget["metadata"]["name"], budget.get("status") or {}
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _too_many(f"The disruption budget {name} is still being processed by the server.", {"retryAfterSeconds": 10})
    if status.get("disruptionsAllowed", 0) <= 0:
        desired, current = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        raise _too_many(f"The disruption budget {name} needs {desired} healthy pods and has {current} currently", {})


def _too_many(why: str, details: Object) -> ApiError:
    return ApiError(429, "TooManyRequests", _VIOLATED, causes=[Cause("", "DisruptionBudget", why)], details=details)


def _after(pod: Object, budget: Object, *, now: datetime) -> Object:
    status = budget["status"]
    left = status["disruptionsAllowed"] - 1
    evicted = {**(status.get("disruptedPods") or {}), pod["metadata"]["name"]: render_time(now)}
    conditions = status.get("conditions") or []
    if not left and (before := condition(budget, "DisruptionAllowed")) is not None:
        none_left = {**before, "status": "False", "reason": "InsufficientPods", "lastTransitionTime": render_time(now)}
        conditions = [none_left if found is before else found for found in conditions]
    return {**budget, "status": {**status, "disruptionsAllowed": left, "disruptedPods": evicted, "conditions": conditions}}
