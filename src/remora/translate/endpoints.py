"""From EndpointSlices to the endpoints of a service port (behaviour reference, part A, section 12)."""

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum

import msgspec

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


class _Standing(IntEnum):
    """How much an endpoint is worth to new sessions, best first."""

    READY = 0
    CORDONED = 1
    """Healthy, and somebody asked that it get no new sessions."""
    LEAVING = 2
    """Terminating, and still serving."""
    UNREADY = 3
    """Not ready, and kept for the sake of its sessions."""


class PodsOfService(msgspec.Struct, frozen=True):
    """What is asked of the pods of a service port: the cordoned ones, and whether one that is not ready keeps its sessions."""

    cordoned: Mapping[str, str] = {}
    """Names to uids."""
    keeps_unready: bool = False


_USUAL = PodsOfService()


def endpoints(
    slices: Iterable[EndpointSlice], port: ServicePort, *, session_key: bytes, pods: PodsOfService = _USUAL
) -> tuple[model.Endpoint, ...]:
    """The endpoints of a service port, ordered by key.

    A pod counts once, also with an address of each family (the IPv4 address then) or in two slices (where it is being moved).
    New sessions go to the endpoints of the best standing that there is: if all are cordoned or terminating they go on serving,
    since a connection that may break is better than none. What is not ready never gets new ones.
    """
    found = sorted(
        (pair for one in slices for pair in _endpoints_of_slice(one, port, session_key=session_key, pods=pods)),
        key=lambda pair: (pair[1].key, pair[0], ":" in pair[1].address, pair[1].address),
    )
    unique = {endpoint.key: (standing, endpoint) for standing, endpoint in reversed(found)}
    best = min((standing for standing, _ in unique.values()), default=_Standing.READY)
    served = _Standing.READY if best is _Standing.UNREADY else best
    return tuple(
        endpoint if standing is served else msgspec.structs.replace(endpoint, state=EndpointState.DRAINING)
        for standing, endpoint in reversed(unique.values())
    )


def _endpoints_of_slice(
    endpoint_slice: EndpointSlice, port: ServicePort, *, session_key: bytes, pods: PodsOfService
) -> Iterator[tuple[_Standing, model.Endpoint]]:
    number = _port_number(endpoint_slice.ports or (), port)
    if endpoint_slice.address_type == "FQDN" or not 0 < number < 65536:
        return
    for endpoint in endpoint_slice.endpoints or ():
        standing = _standing(endpoint, pods)
        if standing is None:
            continue
        target = endpoint.target_ref
        for address in endpoint.addresses:
            if _ADDRESS.fullmatch(address):
                identity = (target and target.uid) or _address_and_port(address, number)
                key = endpoint_key(session_key, identity, number)
                yield standing, model.Endpoint(key, address, number, target.name if target else "")


def _port_number(ports: tuple[EndpointPort, ...], port: ServicePort) -> int:
    """The number behind a service port in a slice; 0 if there is none. A numeric target port serves when no name fits."""
    for candidate in ports:
        if candidate.name == port.name and candidate.protocol == "TCP" and candidate.port:
            return candidate.port
    target = port.target_port or port.port
    return target if isinstance(target, int) else 0


def _standing(endpoint: Endpoint, pods: PodsOfService) -> _Standing | None:
    """What the endpoint is good for; None if for nothing. A condition that is not given is true, `terminating` is false."""
    conditions = endpoint.conditions
    if conditions.ready is not False:
        return _Standing.CORDONED if _is_cordoned(endpoint, pods) else _Standing.READY
    if conditions.terminating:
        return _Standing.LEAVING if conditions.serving is not False else None
    return _Standing.UNREADY if pods.keeps_unready else None


def _is_cordoned(endpoint: Endpoint, pods: PodsOfService) -> bool:
    """Whether the annotated pod is this one, and none of before with its name."""
    target = endpoint.target_ref
    uid = pods.cordoned.get(target.name) if target else None
    return target is not None and uid is not None and target.uid in ("", uid)


def _address_and_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def endpoint_key(session_key: bytes, identity: str, port: int) -> str:
    """The session key of an endpoint: a keyed hash of its identity, so that a cookie tells no address.

    The identity is the pod's uid, so that an address that is used again is not mistaken for the pod that had it; without a pod
    it is address and port.
    """
    return hmac.digest(session_key, f"{identity}:{port}".encode(), "sha256").hex()[:20]
