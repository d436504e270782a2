"""What the cluster's DNS says to a question. Pure.

Names and records are those of Kubernetes' specification of DNS-based service discovery: `SERVICE.NAMESPACE.svc.ZONE`,
endpoints of a Service by their hostname or their address with dashes, `_PORT._PROTOCOL.` before a Service for SRV,
`A-D-D-R.NAMESPACE.pod.ZONE`, and PTR for addresses of Services and endpoints. Wildcards are not known, as in CoreDNS since 1.9.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from remora.cluster.dns.directory import Directory
from remora.cluster.objects import Object
from remora.core.names import NamespacedName

TTL = 5
"""Seconds, as CoreDNS has it in clusters: pods come and go."""
_VERSION = "1.1.0"
"""Of the specification."""
_REVERSE = (("in-addr", "arpa"), ("ip6", "arpa"))
_LONGEST_CHAIN = 8


class Record(msgspec.Struct, frozen=True):
    """One record in the notation of zone files; `name` and names in `data` end with a dot."""

    name: str
    type: str
    data: str


class Found(msgspec.Struct, frozen=True):
    """The name exists; without records it has none of the type asked for. `elsewhere`: the last CNAME leads out of the zone."""

    records: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    elsewhere: str = ""


class Absent(msgspec.Struct, frozen=True):
    """There is no such name."""


class Elsewhere(msgspec.Struct, frozen=True):
    """Another server knows."""


Answer = Found | Absent | Elsewhere


class Endpoint(msgspec.Struct, frozen=True, order=True):
    """One address of a Service, with the name that it has below the Service's."""

    name: str
    address: str
    ports: tuple[tuple[str, str, int], ...] = ()


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """The zone's name without the last dot, and the server's own address."""

    name: str = "cluster.local"
    address: str = ""

    @property
    def server(self) -> str:
        return f"ns.dns.{self.name}."

    @property
    def authority(self) -> Record:
        """The SOA record, which goes with every "no"."""
        return Record(f"{self.name}.", "SOA", f"{self.server} hostmaster.{self.name}. 1 7200 1800 86400 {TTL}")


def decide(directory: Directory, zone: Zone, name: str, type_: str) -> Answer:
    """The answer for a name (absolute, in any case, with or without the last dot) and a record type such as `A`."""
    labels = tuple(name.lower().removesuffix(".").split("."))
    own = tuple(zone.name.split("."))
    if labels[-2:] in _REVERSE:
        return _reverse(directory, zone, labels, type_)
    if labels[-len(own) :] != own:
        return Elsewhere()
    return _in_zone(directory, zone, labels[: -len(own)], type_, f"{'.'.join(labels)}.")


def _in_zone(directory: Directory, zone: Zone, labels: Sequence[str], type_: str, name: str) -> Answer:
    match [*labels]:
        case []:
            return _apex(zone, name, type_)
        case ["ns", "dns"]:
            return _addressed(name, [zone.address], type_)
        case ["dns"] | ["svc"] | ["pod"]:
            return Found()
        case ["dns-version"]:
            return Found((Record(name, "TXT", f'"{_VERSION}"'),) if type_ in ("TXT", "ANY") else ())
        case [namespace, "svc" | "pod"]:
            return Found() if namespace in directory.namespaces else Absent()
        case [address, namespace, "pod"]:
            return _pod(directory, address, namespace, name, type_)
        case [*before, service, namespace, "svc"]:
            return _service(directory, zone, NamespacedName(namespace, service), before, type_, name)
    return Absent()


def _apex(zone: Zone, name: str, type_: str) -> Answer:
    if type_ == "SOA":
        return Found((zone.authority,))
    if type_ == "NS":
        return Found((Record(name, "NS", zone.server),), (Record(zone.server, "A", zone.address),))
    return Found()


def _pod(directory: Directory, text: str, namespace: str, name: str, type_: str) -> Answer:
    """Any address in a namespace that exists, as `pods insecure` of CoreDNS, which clusters have."""
    address = _undashed(text)
    if address is None or namespace not in directory.namespaces:
        return Absent()
    return _addressed(name, [address], type_)


def _service(directory: Directory, zone: Zone, key: NamespacedName, before: Sequence[str], type_: str, name: str) -> Answer:
    service = directory.find_service(key)
    if service is None:
        return Absent()
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return Absent() if before else _external(directory, zone, str(spec.get("externalName")), type_, name)
    full = f"{key.name}.{key.namespace}.svc.{zone.name}."
    headless = spec.get("clusterIP") == "None"
    known = list(_endpoints(directory, key)) if headless or before else []
    match [*before]:
        case []:
            return _whole(service, full, known, type_, name)
        case [port, protocol] if port.startswith("_") and protocol.startswith("_"):
            return _ports(service, full, known if headless else [], (port[1:], protocol[1:]), type_, name)
        case [wanted] if not wanted.startswith("_"):
            found = [endpoint for endpoint in known if endpoint.name == wanted]
            return _addressed(name, [endpoint.address for endpoint in found], type_) if found else Absent()
        case [protocol] if protocol in ("_tcp", "_udp", "_sctp"):
            return Found()
    return Absent()


def _whole(service: Object, full: str, known: Sequence[Endpoint], type_: str, name: str) -> Answer:
    """The Service's own name."""
    spec = service["spec"]
    headless = spec.get("clusterIP") == "None"
    if headless and not known:
        return Absent()
    if type_ == "SRV":
        return _ports(service, full, known, None, type_, name)
    addresses = [endpoint.address for endpoint in known] if headless else spec.get("clusterIPs") or [spec.get("clusterIP")]
    return _addressed(name, addresses, type_)


def _ports(
    service: Object, full: str, known: Sequence[Endpoint], wanted: tuple[str, str] | None, type_: str, name: str
) -> Answer:
    """SRV records: of a headless Service one for each endpoint, else one for the Service."""
    spec = service["spec"]
    if spec.get("clusterIP") == "None":
        hosts = [(f"{endpoint.name}.{full}", endpoint.address, endpoint.ports) for endpoint in known]
    else:
        own = tuple(
            (port.get("name", ""), port.get("protocol", "TCP").lower(), port["port"]) for port in spec.get("ports") or ()
        )
        hosts = [(full, str(spec.get("clusterIP")), own)]
    records, additional = [], []
    for host, address, ports in hosts:
        for port, protocol, number in ports:
            if wanted is None or wanted == (port, protocol):
                records.append((host, number))
                additional.append(Record(host, _kind(address), address))
    if not records:
        return Found() if wanted is None else Absent()
    if type_ not in ("SRV", "ANY"):
        return Found()
    # Every target is equally good; the weights of a set of records add up to about 100.
    weight = max(1, 100 // len(records))
    lines = tuple(Record(name, "SRV", f"0 {weight} {number} {host}") for host, number in dict.fromkeys(records))
    return Found(lines, tuple(dict.fromkeys(additional)))


def _external(directory: Directory, zone: Zone, target: str, type_: str, name: str) -> Answer:
    """A CNAME, followed as long as it leads to names of the zone."""
    records: list[Record] = []
    for _ in range(_LONGEST_CHAIN):
        target = f"{target.lower().removesuffix('.')}."
        records.append(Record(name, "CNAME", target))
        if type_ == "CNAME":
            return Found(tuple(records))
        key = _service_key(zone, target)
        service = directory.find_service(key) if key else None
        if service is None or service["spec"].get("type") != "ExternalName":
            break
        name, target = target, str(service["spec"].get("externalName"))
    answer = decide(directory, zone, target, type_) if len(records) < _LONGEST_CHAIN else Found()
    match answer:
        case Found(records=more, additional=additional):
            return Found((*records, *more), additional)
        case Elsewhere():
            return Found(tuple(records), elsewhere=target)
        case Absent():
            return Found(tuple(records))


def _service_key(zone: Zone, name: str) -> NamespacedName | None:
    match name.removesuffix(f".{zone.name}.").split("."):
        case [service, namespace, "svc"]:
            return NamespacedName(namespace, service)
    return None


def _reverse(directory: Directory, zone: Zone, labels: Sequence[str], type_: str) -> Answer:
    address = _reversed(labels)
    names = list(_names_of(directory, zone, address)) if address else []
    if not names:
        return Elsewhere()
    name = f"{'.'.join(labels)}."
    return Found(tuple(Record(name, "PTR", found) for found in names) if type_ in ("PTR", "ANY") else ())


def _names_of(directory: Directory, zone: Zone, address: str) -> Iterator[str]:
    """A Service's name for its cluster address; for an endpoint's the name below a headless Service."""
    for key in directory.services_at(address):
        full = f"{key.name}.{key.namespace}.svc.{zone.name}."
        service = directory.find_service(key)
        if service is not None and address in (service["spec"].get("clusterIPs") or [service["spec"].get("clusterIP")]):
            yield full
        elif service is not None:
            yield from (f"{found.name}.{full}" for found in _endpoints(directory, key) if found.address == address)


def _endpoints(directory: Directory, key: NamespacedName) -> Iterator[Endpoint]:
    """The ready ones, each once. A Service with publishNotReadyAddresses has slices that call all of its pods ready."""
    seen = set()
    for slice_ in directory.slices_of(key):
        ports = tuple(
            (port.get("name") or "", (port.get("protocol") or "TCP").lower(), port["port"])
            for port in slice_.get("ports") or ()
            if port.get("port")
        )
        for endpoint in slice_.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            for address in endpoint.get("addresses") or ():
                found = Endpoint(endpoint.get("hostname") or _dashed(address), address, ports)
                if found not in seen:
                    seen.add(found)
                    yield found


def _addressed(name: str, addresses: Sequence[str], type_: str) -> Answer:
    wanted = ("A", "AAAA") if type_ == "ANY" else (type_,)
    kinds: Mapping[str, Any] = {address: _kind(address) for address in addresses if address}
    return Found(tuple(Record(name, kind, address) for address, kind in kinds.items() if kind in wanted))


def _kind(address: str) -> str:
    return "AAAA" if ":" in address else "A"


def _dashed(address: str) -> str:
    return address.replace(".", "-").replace(":", "-")


def _undashed(text: str) -> str | None:
    for separator in (".", ":"):
        try:
            return str(ipaddress.ip_address(text.replace("-", separator)))
        except ValueError:
            continue
    return None


def _reversed(labels: Sequence[str]) -> str | None:
    """The address that `4.3.2.1.in-addr.arpa` means."""
    parts = list(reversed(labels[:-2]))
    text = ".".join(parts) if labels[-2] == "in-addr" else ":".join("".join(parts[at : at + 4]) for at in range(0, 32, 4))
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
