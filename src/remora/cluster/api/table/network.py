"""Rows of Services, endpoints, Ingresses and the like. Pure."""

from collections.abc import Iterable
from datetime import datetime

from remora.cluster.api.table.columns import (
    AGE,
    NAME,
    NONE,
    Column,
    Object,
    at,
    field,
    joined,
    load_balancer,
    render_labels,
    render_selector,
    wide,
)


def _external_address(obj: Object, now: datetime) -> str:
    kind = at(obj, "spec.type", "ClusterIP")
    given = list(at(obj, "spec.externalIPs", ()))
    if kind == "ExternalName":
        return str(at(obj, "spec.externalName", ""))
    if kind == "LoadBalancer":
        return joined([*load_balancer(obj), *given]) or "<pending>"
    return joined(given) or NONE


def _port(port: Object) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node}/{port.get('protocol', 'TCP')}"


def _ports(obj: Object, now: datetime) -> str:
    return joined(_port(port) for port in at(obj, "spec.ports", ())) or NONE


SERVICES = (
    NAME,
    Column("Type", field("spec.type")),
    Column("Cluster-IP", field("spec.clusterIP", NONE)),
    Column("External-IP", _external_address),
    Column("Port(s)", _ports),
    AGE,
    wide("Selector", lambda obj, now: render_labels(at(obj, "spec.selector"))),
)


def _hosts(obj: Object, now: datetime) -> str:
    hosts = [rule["host"] for rule in at(obj, "spec.rules", ()) if rule.get("host")]
    more = f" + {len(hosts) - 3} more..." if len(hosts) > 3 else ""
    return joined(hosts[:3]) + more if hosts else "*"


INGRESSES = (
    NAME,
    Column("Class", field("spec.ingressClassName", NONE)),
    Column("Hosts", _hosts),
    Column("Address", lambda obj, now: joined(load_balancer(obj))),
    Column("Ports", lambda obj, now: "80, 443" if at(obj, "spec.tls") else "80"),
    AGE,
)


def _parameters(obj: Object, now: datetime) -> str:
    found = at(obj, "spec.parameters")
    if not found:
        return NONE
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found['kind']}{group}/{found['name']}"


INGRESS_CLASSES = (NAME, Column("Controller", field("spec.controller")), Column("Parameters", _parameters), AGE)
NETWORK_POLICIES = (
    NAME,
    Column("Pod-Selector", lambda obj, now: render_selector(at(obj, "spec.podSelector"))),
    AGE,
)


def _shortened(texts: Iterable[str]) -> str:
    """The first three, and how many more there are."""
    listed = list(texts)
    if not listed:
        return NONE
    more = f" + {len(listed) - 3} more..." if len(listed) > 3 else ""
    return joined(listed[:3]) + more


def _endpoints(obj: Object, now: datetime) -> str:
    found: list[str] = []
    for subset in at(obj, "subsets", ()):
        addresses = [address["ip"] for address in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        found += [f"{address}:{port['port']}" for port in ports for address in addresses] if ports else addresses
    return _shortened(found)


ENDPOINTS = (NAME, Column("Endpoints", _endpoints), AGE)


def _slice_ports(obj: Object, now: datetime) -> str:
    ports = at(obj, "ports", ())
    return _shortened(str(port.get("port") or "*") for port in ports) if ports else "<unset>"


def _slice_endpoints(obj: Object, now: datetime) -> str:
    listed = _shortened(address for endpoint in at(obj, "endpoints", ()) for address in endpoint.get("addresses") or ())
    return "<unset>" if listed == NONE else listed


ENDPOINT_SLICES = (
    NAME,
    Column("AddressType", field("addressType")),
    Column("Ports", _slice_ports),
    Column("Endpoints", _slice_endpoints),
    AGE,
)
