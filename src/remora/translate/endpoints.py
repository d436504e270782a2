"""From EndpointSlices to the endpoints of a service port (behaviour reference, part A, section 12)."""

import hmac
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from remora import model
from remora.kube.objects import Endpoint, EndpointPort, EndpointSlice, Service, ServiceBackendPort, ServicePort
from remora.model import EndpointState

_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
"""What can be an IP address. The API server has checked it; this only keeps other text out of commands."""


def find_service_port(service: Service, port: ServiceBackendPort) -> ServicePort | None:
    """The port that an Ingress means: the first whose number, target port or name it gives."""
    if not (port.number or port.name):
        return None
    text = str(port)
    for candidate in service.spec.ports:
        is_meant = text in (str(candidate.port), str(candidate.target_port), candidate.name)
        if is_meant and candidate.protocol == "TCP":
            return candidate
    return None


def endpoints(slices: Iterable[EndpointSlice], port: ServicePort, *, session_key: bytes) -> tuple[model.Endpoint, ...]:
    """The endpoints of a service port, ordered by key.

    A pod counts once, also with an address of each family (the IPv4 address then) or in two slices (where it is being moved).
    If all are terminating they go on serving: a connection that may break is better than none.
    """
    found = sorted(
        (endpoint for one in slices for endpoint in _endpoints_of_slice(one, port, session_key=session_key)),
        key=lambda one: (one.key, one.state is EndpointState.DRAINING, ":" in one.address, one.address),
    )
    unique = tuple({endpoint.key: endpoint for endpoint in reversed(found)}.values())[::-1]
    if any(endpoint.state is EndpointState.ACTIVE for endpoint in unique):
        return unique
    return tuple(model.Endpoint(one.key, one.address, one.port, one.pod) for one in unique)


def _endpoints_of_slice(endpoint_slice: EndpointSlice, port: ServicePort, *, session_key: bytes) -> Iterator[model.Endpoint]:
    number = _port_number(endpoint_slice.ports or (), port)
    if endpoint_slice.address_type == "FQDN" or not 0 < number < 65536:
        return
    for endpoint in endpoint_slice.endpoints or ():
        state = _state(endpoint)
        if state is None:
            continue
        target = endpoint.target_ref
        for address in endpoint.addresses:
            if _ADDRESS.fullmatch(address):
                identity = (target and target.uid) or _address_and_port(address, number)
                key = endpoint_key(session_key, identity, number)
                yield model.Endpoint(key, address, number, target.name if target else "", state)


def _port_number(ports: tuple[EndpointPort, ...], port: ServicePort) -> int:
    """The number behind a service port in a slice; 0 if there is none. A numeric target port serves when no name fits."""
    for candidate in ports:
        if candidate.name == port.name and candidate.protocol == "TCP" and candidate.port:
            return candidate.port
    target = port.target_port or port.port
    return target if isinstance(target, int) else 0


def _state(endpoint: Endpoint) -> EndpointState | None:
    """What the endpoint may be given; None if nothing. A condition that is not given is true, `terminating` is false."""
    conditions = endpoint.conditions
    if conditions.ready is not False:
        return EndpointState.ACTIVE
    if conditions.terminating and conditions.serving is not False:
        return EndpointState.DRAINING
    return None


def _address_and_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@lru_cache(maxsize=1 << 17)
def endpoint_key(session_key: bytes, identity: str, port: int) -> str:
    """The session key of an endpoint: a keyed hash of its identity, so that a cookie tells no address.

    The identity is the pod's uid, so that an address that is used again is not mistaken for the pod that had it; without a pod
    it is address and port.
    """
    return hmac.digest(session_key, f"{identity}:{port}".encode(), "sha256").hex()[:20]
