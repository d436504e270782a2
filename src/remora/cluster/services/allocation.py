"""Which addresses and node ports Services get: asked for when a Service is created or changed.

The registry is the only memory: what is taken is what existing Services say, so nothing can be lost or leak. A table of it is
kept for speed and checked against the registry whenever it says "taken".
"""

from collections.abc import Callable, Container, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import msgspec

from remora.cluster.addresses import HIGHEST_INDEX, Network, is_assignable, next_address
from remora.cluster.api.errors import invalid, invalid_value
from remora.cluster.objects import Object, key_of
from remora.core.names import NamespacedName

NODE_PORTS = range(30000, 32768)
LOCALHOST = "127.0.0.1"
_NODE_PORT_STEP = len(NODE_PORTS) // (HIGHEST_INDEX + 1)


class Refusal(msgspec.Struct, frozen=True):
    """Why a Service cannot have what it asks for; `field`, `value` and `message` as Kubernetes words an Invalid cause."""

    field: str
    value: object
    message: str


class Taken(msgspec.Struct, frozen=True):
    """What other Services have."""

    cluster_ips: Container[str] = frozenset()
    load_balancer_ips: Container[str] = frozenset()
    node_ports: Container[int] = frozenset()


class Cursor(msgspec.Struct, frozen=True):
    """What was given last, so that something just released rests for a while."""

    cluster_ip: str = ""
    load_balancer_ip: str = ""
    node_port: int = 0


def holdings(service: Mapping[str, Any]) -> tuple[set[str], set[str], set[int]]:
    """ClusterIPs, LoadBalancer IPs and node ports that a stored Service has."""
    spec = service["spec"]
    cluster_ips = {spec.get("clusterIP"), *(spec.get("clusterIPs") or ())} - {None, "", "None"}
    points = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    numbers = {port.get("nodePort") for port in spec.get("ports") or ()} | {spec.get("healthCheckNodePort")}
    return cluster_ips, {point["ip"] for point in points if point.get("ip")}, numbers - {None, 0}


def allocate(service: Object, before: Object | None, *, network: Network, taken: Taken, cursor: Cursor) -> Object | Refusal:
    """The Service with addresses and node ports filled in; `before` is what is stored, and what it has it keeps."""
    spec = dict(service["spec"])
    for step in (_cluster_ip, _node_ports):
        refusal = step(spec, before, network, taken, cursor)
        if refusal is not None:
            return refusal
    allocated = {**service, "spec": spec}
    return _load_balancer(allocated, before, network=network, taken=taken, cursor=cursor)


def _cluster_ip(spec: Object, before: Object | None, network: Network, taken: Taken, cursor: Cursor) -> Refusal | None:
    old = (before or {"spec": {}})["spec"].get("clusterIP") or ""
    if spec.get("type") == "ExternalName":
        return _without_cluster_ip(spec, old)
    asked = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or ()), "") or old
    if old and asked != old and before is not None and before["spec"].get("type") != "ExternalName":
        return Refusal("spec.clusterIPs[0]", [asked], "may not change once set")
    if asked == "None":
        spec |= {"clusterIP": "None", "clusterIPs": ["None"]}
    elif asked and asked != old and (refusal := _refuse_cluster_ip(asked, network, taken)):
        return refusal
    else:
        # The first few are left for Services that ask for one, as `kubernetes` does.
        after = max(IPv4Address(cursor.cluster_ip or 0), network.services[19])
        given = asked or next_address(network.services, after=str(after), taken=taken.cluster_ips)
        if given is None:
            return Refusal("spec.clusterIPs", "", "failed to allocate a serviceIP: range is full")
        spec |= {"clusterIP": given, "clusterIPs": [given]}
    spec |= {"ipFamilies": ["IPv4"], "ipFamilyPolicy": spec.get("ipFamilyPolicy") or "SingleStack"}
    return None


def _without_cluster_ip(spec: Object, old: str) -> Refusal | None:
    asked = spec.get("clusterIP")
    if asked and asked != old:
        return Refusal("spec.clusterIPs[0]", asked, "may not be set for ExternalName services")
    for part in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        spec.pop(part, None)
    return None


def _refuse_cluster_ip(asked: str, network: Network, taken: Taken) -> Refusal | None:
    why = _why_not(asked, network.services, taken.cluster_ips)
    return Refusal("spec.clusterIPs", [asked], f"failed to allocate IP {asked}: {why}") if why else None


def _why_not(asked: str, range_: IPv4Network, taken: Container[str]) -> str:
    if not is_assignable(range_, asked):
        return f"the provided IP is not in the valid range. The range of valid IPs is {range_}"
    return "provided IP is already allocated" if asked in taken else ""


def _node_ports(spec: Object, before: Object | None, network: Network, taken: Taken, cursor: Cursor) -> Refusal | None:
    if not _has_node_ports(spec):
        kept = [{name: value for name, value in port.items() if name != "nodePort"} for port in spec.get("ports") or ()]
        if "ports" in spec:
            spec["ports"] = kept
        return None
    old = {_port_key(port): port.get("nodePort") for port in (before or {"spec": {}})["spec"].get("ports") or ()}
    own = set(old.values())
    used: set[tuple[int, str]] = set()
    ports = []
    for index, port in enumerate(spec.get("ports") or ()):
        asked = port.get("nodePort") or 0
        protocol = port.get("protocol", "TCP")
        if asked and (refusal := _refuse_node_port(index, asked, () if asked in own else taken.node_ports)):
            return refusal
        if not asked:
            occupied = {number for number, _ in used} | {p.get("nodePort") for p in spec["ports"]}
            asked = old.get(_port_key(port)) or _next_node_port(cursor.node_port, taken.node_ports, occupied)
        if not asked:
            return Refusal(f"spec.ports[{index}].nodePort", 0, "failed to allocate a nodePort: range is full")
        if (asked, protocol) in used:
            return Refusal(f"spec.ports[{index}].nodePort", asked, "provided port is already allocated")
        used.add((asked, protocol))
        ports.append({**port, "nodePort": asked})
    spec["ports"] = ports
    return None


def _has_node_ports(spec: Mapping[str, Any]) -> bool:
    if spec.get("type") == "NodePort":
        return True
    return spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False


def _port_key(port: Mapping[str, Any]) -> tuple[Any, Any]:
    return (port.get("protocol", "TCP"), port["port"])


def _refuse_node_port(index: int, asked: int, taken: Container[int]) -> Refusal | None:
    field = f"spec.ports[{index}].nodePort"
    if asked not in NODE_PORTS:
        bounds = f"{NODE_PORTS.start}-{NODE_PORTS.stop - 1}"
        return Refusal(field, asked, f"provided port is not in the valid range. The range of valid ports is {bounds}")
    return Refusal(field, asked, "provided port is already allocated") if asked in taken else None


def _next_node_port(after: int, taken: Container[int], also_taken: Iterable[int | None]) -> int:
    """The first free port behind `after`, or 0."""
    occupied = set(also_taken)
    start = after - NODE_PORTS.start if after in NODE_PORTS else -1
    for step in range(1, len(NODE_PORTS) + 1):
        port = NODE_PORTS[(start + step) % len(NODE_PORTS)]
        if port not in taken and port not in occupied:
            return port
    return 0


def _load_balancer(
    service: Object, before: Object | None, *, network: Network, taken: Taken, cursor: Cursor
) -> Object | Refusal:
    """The Service with `status.loadBalancer`: the address from before, the one asked for, or the next free one."""
    spec = service["spec"]
    status = {**((before or {}).get("status") or service.get("status") or {})}
    if spec.get("type") != "LoadBalancer":
        return {**service, "status": {**status, "loadBalancer": {}}}
    if spec.get("loadBalancerClass"):
        return service  # another implementation's to serve
    asked = spec.get("loadBalancerIP") or ""
    old = next(iter(holdings(before)[1]), "") if before else ""
    if asked and asked != old:
        # 127.0.0.1 is the machine's and nobody's: several Services may be reached there, on different ports.
        if asked != LOCALHOST and (why := _why_not(asked, network.load_balancers, taken.load_balancer_ips)):
            return Refusal("spec.loadBalancerIP", asked, why)
        old = ""
    given = asked or old or next_address(network.load_balancers, after=cursor.load_balancer_ip, taken=taken.load_balancer_ips)
    if given is None:
        return Refusal("spec.loadBalancerIP", "", "range is full")
    return {**service, "status": {**status, "loadBalancer": {"ingress": [{"ip": given, "ipMode": "VIP"}]}}}


class ServiceAllocator:
    """Fills in addresses when the API server admits a Service; `services` are all that are stored at the start.

    `find` gives the stored Service of a name; by it an entry whose Service has gone is noticed.
    """

    def __init__(
        self, *, network: Network, services: Iterable[Object], find: Callable[[NamespacedName], Object | None]
    ) -> None:
        self._network = network
        self._find = find
        # Node ports listen on 127.0.0.1 too, where profiles meet: each begins somewhere else.
        self._cursor = Cursor(node_port=NODE_PORTS.start + network.index * _NODE_PORT_STEP - 1)
        self._holders: dict[str | int, NamespacedName] = {}
        for service in services:
            self._note(service)

    def admit(self, service: Object, before: Object | None) -> Object:
        """What to store for a Service that is created (`before` is None) or updated.

        To be called in one step with storing it: until it is stored, what it was given counts as free.

        Raises:
            ApiError: Invalid; what it asks for is taken, or is no address or port for Services.
        """
        mine = _Others(self, key_of(service))
        taken = Taken(cluster_ips=mine, load_balancer_ips=mine, node_ports=mine)
        result = allocate(service, before, network=self._network, taken=taken, cursor=self._cursor)
        if isinstance(result, Refusal):
            cause = invalid_value(result.field, result.value, result.message)
            raise invalid("Service", service["metadata"].get("name", ""), [cause])
        self._note(result)
        return result

    def release(self, service: Object) -> None:
        """Forgets what a removed Service had."""
        key = key_of(service)
        for thing in _things(service):
            if self._holders.get(thing) == key:
                del self._holders[thing]

    def is_held(self, thing: str | int, *, besides: NamespacedName) -> bool:
        """Whether a Service other than `besides` has this address or node port."""
        holder = self._holders.get(thing)
        if holder is None or holder == besides:
            return False
        stored = self._find(holder)
        return stored is not None and thing in _things(stored)

    def _note(self, service: Object) -> None:
        key = key_of(service)
        for thing in _things(service):
            self._holders[thing] = key
        cluster_ips, load_balancer_ips, node_ports = holdings(service)
        self._cursor = Cursor(
            cluster_ip=max(cluster_ips, default=self._cursor.cluster_ip),
            load_balancer_ip=max(load_balancer_ips, default=self._cursor.load_balancer_ip),
            node_port=max(node_ports, default=self._cursor.node_port),
        )


class _Others(Container[Any]):
    """What Services other than one have, as a container."""

    def __init__(self, allocator: ServiceAllocator, key: NamespacedName) -> None:
        self._allocator = allocator
        self._key = key

    def __contains__(self, thing: object) -> bool:
        return isinstance(thing, str | int) and self._allocator.is_held(thing, besides=self._key)


def _things(service: Mapping[str, Any]) -> set[str | int]:
    cluster_ips, load_balancer_ips, node_ports = holdings(service)
    return {*cluster_ips, *load_balancer_ips, *node_ports}
