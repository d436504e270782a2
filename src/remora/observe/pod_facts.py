"""What is known of pods beside routing: where they run, and why one gets no new sessions. Pure."""

from collections.abc import Mapping

import msgspec

from remora.core.names import NamespacedName
from remora.kube.objects import EndpointSlice, Pod
from remora.translate.pods import read_mark
from remora.watch.snapshot import Snapshot


class PodFact(msgspec.Struct, frozen=True, gc=False):
    """A pod in an EndpointSlice. `why` is empty if it gets new sessions; `is_leaving` says that it is being deleted."""

    address: str
    node: str
    why: str = ""
    is_leaving: bool = False


PodFacts = Mapping[NamespacedName, Mapping[str, PodFact]]
"""By Service, and by the pod's name or, without one, the endpoint's address."""


def find_pod_facts(snapshot: Snapshot) -> PodFacts:
    """The pods of every Service."""
    facts: dict[NamespacedName, dict[str, PodFact]] = {}
    cordoned = {pod.key for pod in snapshot.all(Pod) if read_mark(pod).is_cordoned}
    for one in snapshot.all(EndpointSlice):
        if (service := one.service) is not None:
            _add(facts.setdefault(service, {}), one, cordoned)
    return facts


def _add(found: dict[str, PodFact], endpoint_slice: EndpointSlice, cordoned: set[NamespacedName]) -> None:
    for endpoint in endpoint_slice.endpoints or ():
        address = endpoint.addresses[0] if endpoint.addresses else ""
        name = endpoint.target_ref.name if endpoint.target_ref else address
        is_leaving = bool(endpoint.conditions.terminating)
        why = ""
        if is_leaving:
            why = "it is being deleted"
        elif endpoint.conditions.ready is False:
            why = "it is not ready"
        elif NamespacedName(endpoint_slice.metadata.namespace, name) in cordoned:
            why = "it is cordoned (remora.io/session-drain)"
        if name not in found or not why:
            found[name] = PodFact(address, endpoint.node_name, why, is_leaving)
