"""Which pods stand behind a Service, and on which ports. Pure; EndpointSlices and Endpoints are written from it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from remora.cluster.objects import TERMINAL_PHASES, is_ready, is_terminating, labels_of, uid_of


class Port(msgspec.Struct, frozen=True, order=True):
    """A port of a Service as one group of pods has it; `name` is the Service port's name, "" if it has none."""

    name: str
    number: int
    protocol: str
    app_protocol: str = ""


class Member(msgspec.Struct, frozen=True, order=True):
    """A pod behind a Service. `ready` is the pod's own readiness; who terminates takes no new connections all the same."""

    pod: str
    uid: str
    namespace: str
    address: str
    node: str
    hostname: str
    ready: bool
    terminating: bool


def is_selecting(service: Mapping[str, Any]) -> bool:
    """Whether the Service's endpoints are to be found by its selector."""
    return bool(service["spec"].get("selector")) and service["spec"].get("type") != "ExternalName"


def selects(service: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return is_selecting(service) and service["spec"]["selector"].items() <= labels.items()


def members_by_ports(service: Mapping[str, Any], pods: Iterable[Mapping[str, Any]]) -> dict[tuple[Port, ...], list[Member]]:
    """The pods grouped by what the Service's ports mean in them, since a named target port may have another number in each."""
    groups: dict[tuple[Port, ...], list[Member]] = {}
    for pod in pods:
        address = (pod.get("status") or {}).get("podIP")
        if not address or pod["status"].get("phase") in TERMINAL_PHASES or not selects(service, labels_of(pod)):
            continue
        groups.setdefault(ports(service, pod), []).append(_member(service, pod, address))
    return {key: sorted(groups[key]) for key in sorted(groups)}


def ports(service: Mapping[str, Any], pod: Mapping[str, Any]) -> tuple[Port, ...]:
    """The Service's ports in this pod; one whose named target the pod does not have is left out."""
    found = []
    for port in service["spec"].get("ports") or ():
        number = _target(port, pod)
        if number is not None:
            protocol, app = port.get("protocol", "TCP"), port.get("appProtocol") or ""
            found.append(Port(port.get("name") or "", number, protocol, app))
    return tuple(sorted(found))


def _target(port: Mapping[str, Any], pod: Mapping[str, Any]) -> int | None:
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    return find_named_port(pod["spec"].get("containers") or (), target, protocol=port.get("protocol", "TCP"))


def find_named_port(containers: Sequence[Mapping[str, Any]], name: str, *, protocol: str = "TCP") -> int | None:
    """The number of the container port with this name, or None."""
    for container in containers:
        for port in container.get("ports") or ():
            if port.get("name") == name and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return None


def _member(service: Mapping[str, Any], pod: Mapping[str, Any], address: str) -> Member:
    spec = pod["spec"]
    own_name = spec.get("hostname") if spec.get("subdomain") == service["metadata"]["name"] else ""
    return Member(
        pod=pod["metadata"]["name"],
        uid=uid_of(pod),
        namespace=pod["metadata"]["namespace"],
        address=address,
        node=spec.get("nodeName") or "",
        hostname=own_name or "",
        ready=is_ready(pod),
        terminating=is_terminating(pod),
    )
