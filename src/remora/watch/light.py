"""Whether Changes are so few, and of such a kind, that little depends on them.

A Secret or a Service may be named by all Ingresses, and a ConfigMap by all there is. Endpoints are those of one Service; an
Ingress is about its hosts, together with all others that have these hosts too.
"""

from collections.abc import Collection

from remora.kube.objects import EndpointSlice, Ingress
from remora.watch.snapshot import Change, Index, IndexKey, Snapshot, hosts_of

MOST_CHANGES = 8
MOST_ENDPOINTS = 1000
MOST_RULES = 100
"""Paths of the Ingress, and Ingresses of its hosts."""


def is_light(changes: Collection[Change], before: Snapshot, after: Snapshot) -> bool:
    """Whether translating the Changes from one snapshot to another is a matter of a few milliseconds."""
    return len(changes) <= MOST_CHANGES and all(_is_light(change, one) for change in changes for one in (before, after))


def _is_light(change: Change, snapshot: Snapshot) -> bool:
    if change.kind is EndpointSlice:
        found = snapshot.find(EndpointSlice, change.name)
        return found is None or len(found.endpoints or ()) <= MOST_ENDPOINTS
    if change.kind is not Ingress:
        return False
    ingress = snapshot.find(Ingress, change.name)
    if ingress is None:
        return True
    paths = sum(len(rule.http.paths) for rule in ingress.spec.rules if rule.http)
    sharing = (snapshot.indexed(IndexKey(Index.INGRESSES_OF_HOST, host)) for host in hosts_of(ingress))
    return paths + sum(map(len, sharing)) <= MOST_RULES
