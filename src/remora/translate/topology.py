"""Which endpoints of a Service are near (behaviour reference, part A, section 12.5).

The hints of EndpointSlices are followed for Services that ask for it; those about zones slice by slice, as in ingress-nginx.
Where they leave no ready endpoint at all, every endpoint counts: a far one is better than none, as Kubernetes says of its own
proxy.
"""

from collections.abc import Callable, Iterable
from enum import Enum

import msgspec

from remora.core.settings import RoutingSettings
from remora.kube.objects import Endpoint, EndpointSlice, Service

TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"

Slices = tuple[EndpointSlice, ...]


class Nearness(Enum):
    """What a Service asks for."""

    ANY = "any"
    HINTED_ZONE = "hinted-zone"
    """Only what is hinted for the zone."""
    SAME_ZONE = "same-zone"
    """What is hinted for the zone, in a slice without any all."""
    SAME_NODE = "same-node"
    """What is hinted for the node, else as SAME_ZONE."""


_DISTRIBUTIONS = {
    "PreferClose": Nearness.SAME_ZONE,
    "PreferSameZone": Nearness.SAME_ZONE,
    "PreferSameNode": Nearness.SAME_NODE,
}


def near_slices(slices: Iterable[EndpointSlice], service: Service, settings: RoutingSettings) -> Slices:
    """The slices of a Service with only the endpoints that are to be used."""
    found = tuple(slices)
    wanted = _nearness(service, settings)
    if wanted is Nearness.SAME_NODE:
        same_node = tuple(_keeping(one, _nodes, settings.node) or _without_endpoints(one) for one in found)
        if _has_ready(same_node):
            return same_node
    if wanted is Nearness.ANY or not settings.zone:
        return found
    near = tuple(_in_zone(one, wanted, settings.zone) for one in found)
    return near if _has_ready(near) else found


def _nearness(service: Service, settings: RoutingSettings) -> Nearness:
    """What is preferred for a Service; nothing where the controller does not know its own place."""
    if not (settings.zone or settings.node):
        return Nearness.ANY
    if service.metadata.annotations.get(TOPOLOGY_MODE, "").lower() == "auto":
        return Nearness.HINTED_ZONE
    return _DISTRIBUTIONS.get(service.spec.traffic_distribution or "", Nearness.ANY)


def _in_zone(whole: EndpointSlice, wanted: Nearness, zone: str) -> EndpointSlice:
    near = _keeping(whole, _zones, zone)
    if near is None or (not near.endpoints and wanted is not Nearness.HINTED_ZONE):
        return whole
    return near


def _keeping(whole: EndpointSlice, hints: Callable[[Endpoint], list[str]], place: str) -> EndpointSlice | None:
    """The slice with what is hinted for a place; None if an endpoint has no hints."""
    hinted = [(one, hints(one)) for one in whole.endpoints or ()]
    if not all(places for _, places in hinted):
        return None
    return msgspec.structs.replace(whole, endpoints=tuple(one for one, places in hinted if place in places))


def _without_endpoints(whole: EndpointSlice) -> EndpointSlice:
    return msgspec.structs.replace(whole, endpoints=())


def _has_ready(slices: Slices) -> bool:
    return any(one.conditions.ready is not False for part in slices for one in part.endpoints or ())


def _zones(endpoint: Endpoint) -> list[str]:
    return [zone.name for zone in (endpoint.hints.for_zones if endpoint.hints else ()) or ()]


def _nodes(endpoint: Endpoint) -> list[str]:
    return [node.name for node in (endpoint.hints.for_nodes if endpoint.hints else ()) or ()]
