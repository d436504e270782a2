"""From annotations to how much a request, and a client, may ask for."""

import hashlib
from collections.abc import Iterator

from remora.annotations.body import Body
from remora.annotations.rate_limit import RateLimit
from remora.annotations.registry import Parsed
from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem
from remora.model import Limits

_KILOBYTE = 1024


def find_body_limit(parsed: Parsed) -> int | None:
    """Bytes of a request's body; None where it is as for all routes."""
    size = parsed.of(Body).max_size
    return size if size != parsed.defaults.of(Body).max_size else None


def limit_problems(ref: ObjectRef, parsed: Parsed, *, has_peers: bool) -> Iterator[Problem]:
    """What is wrong with limits that are well-formed each by itself."""
    group = parsed.of(RateLimit)
    if group.scope == "cluster" and not has_peers:
        message = "limit-scope: cluster needs the flag --peers-service, so that replicas find one another"
        yield Problem(ref, "metadata.annotations", "LimitsWithoutPeers", message, "each replica counts by itself")
    if group.exempt and not (group.per_second or group.per_minute or group.connections):
        message = "limit-allowlist stands without a limit"
        yield Problem(ref, "metadata.annotations", "LimitsMissing", message, "nobody is limited")


def find_limits(parsed: Parsed, *, ingress: NamespacedName) -> Limits | None:
    """The limits of an Ingress, which all its routes have in common; None without any."""
    group = parsed.of(RateLimit)
    if not (group.per_second or group.per_minute or group.connections or group.bandwidth):
        return None
    return Limits(
        counter=hashlib.sha256(f"limits {ingress}".encode()).hexdigest()[:16],
        per_second=group.per_second,
        per_minute=group.per_minute,
        burst=group.burst_multiplier,
        connections=group.connections,
        exempt=group.exempt,
        bandwidth=group.bandwidth * _KILOBYTE,
        bandwidth_after=group.bandwidth_after * _KILOBYTE,
        is_shared=group.scope == "cluster",
    )
