"""Who of several replicas leads, by what a Lease says. Pure.

Clocks of machines differ, so nobody looks at the times in a Lease: each replica counts, by a clock of its own, how long it has
seen the Lease unchanged. A holder stops counting itself as the leader before others may take the Lease from it.
"""

from typing import Any

import msgspec

from remora.core.names import NamespacedName
from remora.kube.objects.lease import Lease

RENEW_PART = 1 / 4
"""Of the time to live: when a leader renews, and followers look again."""
DEADLINE_PART = 3 / 4
"""Of the time to live: how long a leader counts as one after it began to write its last renewal."""
RELEASED_SECONDS = 1


class Observed(msgspec.Struct, frozen=True):
    """A Lease, None if there is none, and since when it is known to say this."""

    lease: Lease | None
    since: float


def observe(before: Observed | None, lease: Lease | None, now: float) -> Observed:
    """What is known after a look at the Lease."""
    if before is not None and lease is not None and before.lease is not None and before.lease.spec == lease.spec:
        return Observed(lease, before.since)
    return Observed(lease, now)


def free_at(seen: Observed, identity: str, time_to_live: float) -> float:
    """From when on `identity` may have the Lease, by the clock of `seen`."""
    if seen.lease is None or seen.lease.spec.holder_identity in (None, "", identity):
        return seen.since
    return seen.since + (seen.lease.spec.lease_duration_seconds or time_to_live)


def lease_body(place: NamespacedName, before: Lease | None, *, holder: str, time_to_live: float, now: str) -> dict[str, Any]:
    """The Lease as `holder` has it from `now` on, or as nobody has it if that is empty; others' labels stay.

    The version of before makes the API server refuse it if somebody else was quicker.
    """
    spec = before.spec if before else None
    previous = (spec.holder_identity or "") if spec else ""
    transitions = (spec.lease_transitions or 0) if spec else 0
    is_taken = bool(holder) and previous != holder
    metadata: dict[str, Any] = {"name": place.name, "namespace": place.namespace}
    if before:
        metadata |= {"resourceVersion": before.metadata.resource_version}
        metadata |= {"labels": before.metadata.labels, "annotations": before.metadata.annotations}
    body: dict[str, Any] = {
        "leaseDurationSeconds": max(1, round(time_to_live)) if holder else RELEASED_SECONDS,
        "acquireTime": now if is_taken or not spec or not spec.acquire_time else spec.acquire_time,
        "renewTime": now,
        "leaseTransitions": transitions + (1 if is_taken and before else 0),
    }
    if holder:
        body["holderIdentity"] = holder
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": body}
