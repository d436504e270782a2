"""Rows of what surrounds workloads: Events, Services, Ingresses, ConfigMaps and Secrets by their keys, nodes. Pure."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from remora.core.names import NamespacedName
from remora.dashboard.workload_objects import Event, Holder, Ingress, Node, Service

NONE = "<none>"
"""What kubectl prints where there is nothing."""
MOST_EVENTS = 300
_ROLE = "node-role.kubernetes.io/"


class EventRow(msgspec.Struct, frozen=True):
    """`last` is when it was last seen; `kind` and `name` are those of the object that it is about."""

    uid: str
    last: str
    type: str
    reason: str
    kind: str
    name: NamespacedName
    message: str
    source: str
    count: int


class Way(msgspec.Struct, frozen=True):
    """A host and path of an Ingress that leads to a Service."""

    ingress: NamespacedName
    host: str
    path: str
    service: str
    port: str
    secure: bool = False


class ServiceRow(msgspec.Struct, frozen=True):
    name: NamespacedName
    uid: str
    type: str
    address: str
    external: str
    ports: str
    selector: str
    created: str
    ways: tuple[Way, ...] = ()


class IngressRow(msgspec.Struct, frozen=True):
    name: NamespacedName
    uid: str
    of_class: str
    address: str
    ways: tuple[Way, ...]
    created: str


class HolderRow(msgspec.Struct, frozen=True):
    name: NamespacedName
    uid: str
    type: str
    keys: tuple[str, ...]
    created: str


class NodeRow(msgspec.Struct, frozen=True):
    name: str
    uid: str
    ready: bool
    state: str
    roles: str
    version: str
    address: str
    capacity: str
    created: str


def event_rows(events: Iterable[Event], *, most: int = MOST_EVENTS) -> tuple[EventRow, ...]:
    """Newest first; of the same second the one that was written last."""
    rows = sorted(((_event_row(event), _turn(event)) for event in events), key=lambda one: (one[0].last, one[1]), reverse=True)
    return tuple(row for row, _ in rows[:most])


def _turn(event: Event) -> tuple[int, str]:
    version = event.metadata.resource_version
    return int(version) if version.isascii() and version.isdigit() else 0, event.metadata.uid


def events_about(events: Iterable[Event], uids: Iterable[str]) -> tuple[Event, ...]:
    """The Events about these objects."""
    wanted = frozenset(uids) - {""}
    return tuple(event for event in events if event.involved_object.uid in wanted)


def services_to(services: Iterable[Service], namespace: str, labels: Mapping[str, str]) -> tuple[Service, ...]:
    """The Services that choose pods with these labels."""
    return tuple(
        service
        for service in services
        if service.metadata.namespace == namespace and service.spec.selector and service.spec.selector.items() <= labels.items()
    )


def service_rows(services: Iterable[Service], ingresses: Sequence[Ingress] = ()) -> tuple[ServiceRow, ...]:
    """Services by name, each with the ways that lead to it."""
    ways: dict[NamespacedName, list[Way]] = {}
    for ingress in ingresses:
        for way in ways_of(ingress):
            ways.setdefault(NamespacedName(ingress.metadata.namespace, way.service), []).append(way)
    return tuple(_service_row(one, tuple(ways.get(one.key, ()))) for one in sorted(services, key=lambda one: one.key))


def ingress_rows(ingresses: Iterable[Ingress]) -> tuple[IngressRow, ...]:
    return tuple(
        IngressRow(
            one.key,
            one.metadata.uid,
            one.spec.ingress_class_name or NONE,
            ", ".join(point.ip or point.hostname for point in one.status.load_balancer.ingress) or NONE,
            ways_of(one),
            one.metadata.creation_timestamp or "",
        )
        for one in sorted(ingresses, key=lambda one: one.key)
    )


def ways_of(ingress: Ingress) -> tuple[Way, ...]:
    """Every host and path that leads to a Service; the default backend's host is any."""
    secure = {host for tls in ingress.spec.tls for host in tls.hosts}
    found = list[Way]()
    for rule in ingress.spec.rules:
        for path in rule.http.paths if rule.http else ():
            if (service := path.backend.service) is not None:
                is_secure = rule.host in secure
                found.append(Way(ingress.key, rule.host, path.path or "/", service.name, str(service.port), is_secure))
    default = ingress.spec.default_backend
    if default is not None and default.service is not None:
        found.append(Way(ingress.key, "", "/", default.service.name, str(default.service.port)))
    return tuple(found)


def holder_rows(holders: Iterable[Holder]) -> tuple[HolderRow, ...]:
    return tuple(
        HolderRow(one.key, one.metadata.uid, one.type, one.keys, one.metadata.creation_timestamp or "")
        for one in sorted(holders, key=lambda one: one.key)
    )


def node_rows(nodes: Iterable[Node]) -> tuple[NodeRow, ...]:
    return tuple(_node_row(one) for one in sorted(nodes, key=lambda one: one.metadata.name))


def _event_row(event: Event) -> EventRow:
    about, series = event.involved_object, event.series
    last = (series.last_observed_time if series else None) or event.last_timestamp or event.event_time
    last = last or event.first_timestamp or event.metadata.creation_timestamp or ""
    count = (series.count if series else 0) or event.count or 1
    source = event.source.component or event.reporting_component
    name = NamespacedName(about.namespace, about.name)
    return EventRow(event.metadata.uid, last, event.type, event.reason, about.kind, name, event.message.strip(), source, count)


def _service_row(one: Service, ways: tuple[Way, ...]) -> ServiceRow:
    external = ", ".join(point.ip or point.hostname for point in one.status.load_balancer.ingress)
    if not external:
        external = one.spec.external_name or ("<pending>" if one.spec.type == "LoadBalancer" else NONE)
    ports = ", ".join(f"{port.port}/{port.protocol}" + (f" {port.name}" if port.name else "") for port in one.spec.ports)
    selector = ", ".join(f"{key}={value}" for key, value in sorted(one.spec.selector.items()))
    return ServiceRow(
        one.key,
        one.metadata.uid,
        one.spec.type,
        one.spec.cluster_ip or NONE,
        external,
        ports or NONE,
        selector or NONE,
        one.metadata.creation_timestamp or "",
        ways,
    )


def _node_row(one: Node) -> NodeRow:
    status = one.status
    ready = any(condition.type == "Ready" and condition.status == "True" for condition in status.conditions)
    words = ["Ready" if ready else "NotReady", *(["SchedulingDisabled"] if one.spec.unschedulable else [])]
    roles = sorted(label.removeprefix(_ROLE) for label in one.metadata.labels if label.startswith(_ROLE))
    address = next((found.address for found in status.addresses if found.type == "InternalIP"), NONE)
    capacity = ", ".join(f"{name} {status.capacity[name]}" for name in ("cpu", "memory", "pods") if name in status.capacity)
    return NodeRow(
        one.metadata.name,
        one.metadata.uid,
        ready,
        ",".join(words),
        ", ".join(roles) or NONE,
        status.node_info.kubelet_version,
        address,
        capacity or NONE,
        one.metadata.creation_timestamp or "",
    )
