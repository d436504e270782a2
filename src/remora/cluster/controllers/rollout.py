"""How many pods each ReplicaSet of a Deployment should have now. Pure.

The arithmetic is that of Kubernetes (pkg/controller/deployment: rolling.go, recreate.go, sync.go), because the promise "never
fewer than this many available, never more than that many in all" is what a rolling update is for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from remora.cluster.objects import Object, annotations_of

DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"


class Limits(msgspec.Struct, frozen=True):
    """A Deployment's size and what a rolling update may deviate from it, in pods."""

    replicas: int
    max_surge: int
    max_unavailable: int

    @property
    def max_total(self) -> int:
        return self.replicas + self.max_surge

    @property
    def min_available(self) -> int:
        return self.replicas - self.max_unavailable


def limits(deployment: Mapping[str, Any]) -> Limits:
    """From `spec.replicas` and `spec.strategy`. Surge rounds up, unavailability down; both zero would never move, so then
    one may be unavailable (Kubernetes `ResolveFenceposts`)."""
    replicas = replicas_of(deployment)
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return Limits(replicas, 0, 0)
    rolling = strategy.get("rollingUpdate") or {}
    surge = share(rolling.get("maxSurge", "25%"), replicas, up=True)
    unavailable = share(rolling.get("maxUnavailable", "25%"), replicas, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(replicas, surge, min(unavailable, replicas))


def share(value: int | str, total: int, *, up: bool) -> int:
    """An `IntOrString` that is a number or a percentage of `total`."""
    if isinstance(value, int):
        return value
    percent = int(value.removesuffix("%"))
    return -(-percent * total // 100) if up else percent * total // 100


def replicas_of(obj: Mapping[str, Any]) -> int:
    """`spec.replicas`, whose default is 1."""
    replicas = obj["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def available_of(replicaset: Mapping[str, Any]) -> int:
    return int((replicaset.get("status") or {}).get("availableReplicas") or 0)


def total_replicas(replicasets: Sequence[Object]) -> int:
    return sum(map(replicas_of, replicasets))


def new_replicaset_size(bounds: Limits, replicasets: Sequence[Object], *, current: int, recreate: bool) -> int:
    """Size of the ReplicaSet with the current template, whose size now is `current` and which `replicasets` may contain."""
    if recreate or current > bounds.replicas:
        return bounds.replicas
    room = bounds.max_total - total_replicas(replicasets)
    return current if room <= 0 else current + min(room, bounds.replicas - current)


def old_replicaset_sizes(bounds: Limits, new: Object | None, old: Sequence[Object]) -> dict[str, int]:
    """New sizes, by name, of the ReplicaSets with former templates (oldest first) that can shrink now.

    Pods that are not available go first: they serve nobody, so nothing is lost and room for new ones is won.
    """
    everything = [*old, new] if new else list(old)
    new_unavailable = replicas_of(new) - available_of(new) if new else 0
    budget = total_replicas(everything) - bounds.min_available - new_unavailable
    if budget <= 0:
        return {}
    sizes = {rs["metadata"]["name"]: replicas_of(rs) for rs in old}
    for replicaset in old:
        name = replicaset["metadata"]["name"]
        broken = min(budget, max(0, sizes[name] - available_of(replicaset)))
        sizes[name] -= broken
        budget -= broken
    spare = sum(map(available_of, everything)) - bounds.min_available
    for replicaset in old:
        name = replicaset["metadata"]["name"]
        step = min(sizes[name], max(0, spare), budget)
        sizes[name] -= step
        spare -= step
        budget -= step
    return {rs["metadata"]["name"]: size for rs in old if (size := sizes[rs["metadata"]["name"]]) != replicas_of(rs)}


def scaled_sizes(deployment: Mapping[str, Any], bounds: Limits, new: Object | None, old: Sequence[Object]) -> dict[str, int]:
    """Sizes by name after `spec.replicas` changed, or while paused: a rollout under way grows or shrinks in proportion."""
    everything = [*old, new] if new else list(old)
    active = [rs for rs in everything if replicas_of(rs) > 0]
    if len(active) <= 1:
        chosen = active or ([new] if new else list(old[-1:]))
        return {rs["metadata"]["name"]: bounds.replicas for rs in chosen}
    if new is not None and replicas_of(new) == available_of(new) == bounds.replicas:
        return {rs["metadata"]["name"]: 0 for rs in active if rs is not new}
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return {rs["metadata"]["name"]: replicas_of(rs) for rs in active}
    return _proportional(deployment, bounds, active)


def is_scaling(deployment: Mapping[str, Any], replicasets: Sequence[Object]) -> bool:
    """Whether `spec.replicas` changed since the ReplicaSets were last sized."""
    active = (rs for rs in replicasets if replicas_of(rs) > 0)
    return any(annotations_of(rs).get(DESIRED_REPLICAS) not in (None, str(replicas_of(deployment))) for rs in active)


def _proportional(deployment: Mapping[str, Any], bounds: Limits, active: Sequence[Object]) -> dict[str, int]:
    allowed = bounds.max_total if bounds.replicas > 0 else 0
    to_add = allowed - total_replicas(active)
    # Growing favours the newest of equally large ones, shrinking the oldest; the first one also takes what rounding left over.
    by_age = sorted(active, key=lambda rs: rs["metadata"].get("creationTimestamp") or "", reverse=to_add > 0)
    ordered = sorted(by_age, key=replicas_of, reverse=True)
    sizes: dict[str, int] = {}
    added = 0
    for replicaset in ordered:
        part = _proportion(deployment, bounds, replicaset, to_add - added)
        sizes[replicaset["metadata"]["name"]] = replicas_of(replicaset) + part
        added += part
    first = ordered[0]["metadata"]["name"]
    sizes[first] = max(0, sizes[first] + to_add - added)
    return sizes


def _proportion(deployment: Mapping[str, Any], bounds: Limits, replicaset: Object, remaining: int) -> int:
    if remaining == 0:
        return 0
    size = replicas_of(replicaset)
    if bounds.replicas == 0:
        fraction = -size
    else:
        before = int(annotations_of(replicaset).get(MAX_REPLICAS) or 0)
        before = before or int((deployment.get("status") or {}).get("replicas") or 0) or size
        fraction = _round(size * bounds.max_total / before) - size
    return min(fraction, remaining) if remaining > 0 else max(fraction, remaining)


def _round(value: float) -> int:
    """Half away from zero, unlike `round`."""
    return int(value + 0.5) if value >= 0 else int(value - 0.5)
