"""Services and EndpointSlices to the table of listeners and servers. Pure.

Rules kept, as kube-proxy has them: new connections go to ready endpoints; if there is none, to serving endpoints that are
terminating; slices belong to a Service by the label `kubernetes.io/service-name`, their ports to its ports by name.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

import msgspec

from remora.cluster.services.table import Backend, Listener, Server, Table
from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem, Severity

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
SERVED = "remora.io/served"
"""Annotation of a Service at whose address the cluster's own process listens."""

Object = Mapping[str, Any]


class _Claim(msgspec.Struct, frozen=True):
    """A listener that a Service asks for, before contested places are decided."""

    listener: Listener
    owner: ObjectRef


def translate(services: Iterable[Object], slices: Iterable[Object], *, node_addresses: Sequence[str]) -> Table:
    """The whole table from scratch; the order of the input does not matter.

    `node_addresses` are those on which node ports listen.
    """
    by_service: dict[NamespacedName, list[Object]] = defaultdict(list)
    for slice_ in slices:
        by_service[_service_of(slice_)].append(slice_)
    claims: list[_Claim] = []
    backends: list[Backend] = []
    problems: list[Problem] = []
    for service in sorted(services, key=_precedence):
        if service["spec"].get("type") == "ExternalName" or is_served(service):
            continue
        for port in service["spec"].get("ports") or ():
            if port.get("protocol", "TCP") != "TCP":
                problems.append(_not_carried(service, port))
                continue
            wanted = list(_claims(service, port, node_addresses))
            if wanted:
                claims += wanted
                backends.append(_backend(service, port, by_service[_name(service)]))
    listeners, contested = _settle(claims)
    return Table(tuple(sorted(listeners)), tuple(sorted(backends)), tuple(problems + contested))


def is_served(service: Object) -> bool:
    """Whether the cluster itself listens at the Service's address, as it does for DNS."""
    return SERVED in (service["metadata"].get("annotations") or {})


def backend_name(service: NamespacedName, port: Object) -> str:
    """The name of a service port's backend; no part can hold an underscore, so no two share one."""
    return f"{service.namespace}_{service.name}_{port.get('name') or port['port']}"


def _claims(service: Object, port: Object, node_addresses: Sequence[str]) -> Iterator[_Claim]:
    spec, name = service["spec"], _name(service)
    type_ = spec.get("type", "ClusterIP")
    places: list[tuple[str, str, int]] = []
    if spec.get("clusterIP") not in (None, "", "None"):
        places.append(("ClusterIP", spec["clusterIP"], port["port"]))
    if type_ in ("NodePort", "LoadBalancer") and port.get("nodePort"):
        places += [("NodePort", address, port["nodePort"]) for address in node_addresses]
    if type_ == "LoadBalancer":
        ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
        places += [("LoadBalancer", point["ip"], port["port"]) for point in ingress if point.get("ip")]
    for role, address, number in places:
        yield _Claim(Listener(address, number, backend_name(name, port), name, role), _ref(service))


def _settle(claims: Sequence[_Claim]) -> tuple[list[Listener], list[Problem]]:
    """One listener for each place: the oldest Service keeps it."""
    settled: dict[tuple[str, int], Listener] = {}
    problems: list[Problem] = []
    for claim in claims:
        listener = claim.listener
        winner = settled.setdefault(listener.place, listener)
        if winner.backend != listener.backend:
            problems.append(
                Problem(
                    object=claim.owner,
                    field="spec.ports",
                    code="AddressInUse",
                    message=f"{listener} ({listener.role}) belongs to the older Service {winner.service}",
                    consequence="this Service does not listen there",
                    severity=Severity.ERROR,
                )
            )
    return list(settled.values()), problems


def _backend(service: Object, port: Object, slices: Iterable[Object]) -> Backend:
    ready: set[Server] = set()
    terminating: set[Server] = set()
    for slice_ in slices:
        number = _port_number(slice_, port)
        if number is None:
            continue
        for endpoint in slice_.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            servers = {Server(address, number) for address in endpoint["addresses"][:1] if _is_ipv4(address)}
            if conditions.get("ready") is not False:
                ready |= servers
            elif conditions.get("serving") and conditions.get("terminating"):
                terminating |= servers
    return Backend(
        name=backend_name(_name(service), port),
        by_client_address=service["spec"].get("sessionAffinity") == "ClientIP",
        servers=tuple(sorted(ready or terminating)),
    )


def _port_number(slice_: Object, port: Object) -> int | None:
    for candidate in slice_.get("ports") or ():
        if (candidate.get("name") or "") == (port.get("name") or ""):
            number: int | None = candidate.get("port")
            return number
    return None


@lru_cache(2**16)
def _is_ipv4(address: str) -> bool:
    """Anybody may write an EndpointSlice, and its addresses end up in HAProxy's configuration."""
    try:
        return ip_address(address).version == 4
    except ValueError:
        return False


def _not_carried(service: Object, port: Object) -> Problem:
    return Problem(
        object=_ref(service),
        field="spec.ports",
        code="ProtocolNotCarried",
        message=f"port {port['port']} is {port['protocol']}; the local cluster carries TCP",
        consequence="the port does not listen",
    )


def _service_of(slice_: Object) -> NamespacedName:
    labels = slice_["metadata"].get("labels") or {}
    return NamespacedName(slice_["metadata"].get("namespace", ""), labels.get(SERVICE_NAME_LABEL, ""))


def _precedence(service: Object) -> tuple[str, str, str]:
    meta = service["metadata"]
    return (meta.get("creationTimestamp") or "", meta.get("namespace", ""), meta["name"])


def _name(service: Object) -> NamespacedName:
    return NamespacedName(service["metadata"].get("namespace", ""), service["metadata"]["name"])


def _ref(service: Object) -> ObjectRef:
    return ObjectRef("Service", _name(service), service["metadata"].get("uid", ""))
