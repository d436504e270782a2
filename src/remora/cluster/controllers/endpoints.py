"""Endpoints (core/v1) of Services with a selector, for clients that do not read EndpointSlices yet."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from remora.cluster.api.registry import Registry
from remora.cluster.controllers.actions import Action, Create, Update, carry_out
from remora.cluster.controllers.endpoints_of import Member, Port, is_selecting, members_by_ports
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.controllers.selection import Selection
from remora.cluster.events import Events
from remora.cluster.objects import (
    Object,
    annotations_of,
    controller_reference,
    is_terminating,
    key_of,
    labels_of,
    with_metadata,
)
from remora.core.names import NamespacedName

COMPONENT = "endpoint-controller"
MANAGED_BY_LABEL = "endpoints.kubernetes.io/managed-by"
MANAGED_BY = "endpoint-controller"
HEADLESS_LABEL = "service.kubernetes.io/headless"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MAXIMUM = 1000
"""Addresses in one Endpoints object; more are cut off, as in Kubernetes."""


def decide(service: Object, pods: Sequence[Object], existing: Object | None) -> tuple[Action, ...]:
    """What to do so that the Endpoints of the Service's name say where its pods are."""
    if is_terminating(service) or not is_selecting(service):
        return ()
    labels = {**labels_of(service), MANAGED_BY_LABEL: MANAGED_BY}
    if service["spec"].get("clusterIP") == "None":
        labels[HEADLESS_LABEL] = ""
    wanted, is_cut = subsets(service, pods)
    if existing is None:
        return (Create("endpoints", _endpoints(service, labels, wanted, is_cut=is_cut)),)
    annotations = _annotations(existing, is_cut=is_cut)
    is_same = dict(labels_of(existing)) == labels and dict(annotations_of(existing)) == annotations
    if (existing.get("subsets") or []) == wanted and is_same:
        return ()
    return (Update("endpoints", {**with_metadata(existing, labels=labels, annotations=annotations), "subsets": wanted}),)


def subsets(service: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> tuple[list[Object], bool]:
    """`subsets`, one for each set of ports, and whether there were too many addresses.

    Terminating pods are left out unless unready addresses are published. Of too many the unready ones are cut off first.
    """
    even_unready = bool(service["spec"].get("publishNotReadyAddresses"))
    groups = [
        (ports, [member for member in members if even_unready or not member.terminating])
        for ports, members in members_by_ports(service, pods).items()
    ]
    total = sum(len(members) for _, members in groups)
    ready = {member for _, members in groups for member in members if member.ready or even_unready}
    rank = sorted((member for _, members in groups for member in members), key=lambda member: (member not in ready, member))
    kept = set(rank[:MAXIMUM])
    result = []
    for ports, members in groups:
        ordered = sorted(members, key=_place)
        addresses = [_address(member) for member in ordered if member in kept and member in ready]
        others = [_address(member) for member in ordered if member in kept and member not in ready]
        if addresses or others:
            parts: Object = {"addresses": addresses} if addresses else {}
            parts |= {"notReadyAddresses": others} if others else {}
            parts |= {"ports": list(map(_port, ports))} if ports else {}
            result.append(parts)
    return result, total > MAXIMUM


def _place(member: Member) -> tuple[str, str]:
    """What Kubernetes orders addresses by: their text, not their number."""
    return member.address, member.uid


def _annotations(existing: Mapping[str, Any], *, is_cut: bool) -> dict[str, str]:
    kept = {name: text for name, text in annotations_of(existing).items() if name != OVER_CAPACITY}
    return {**kept, OVER_CAPACITY: "truncated"} if is_cut else kept


def _endpoints(service: Object, labels: Mapping[str, str], wanted: list[Object], *, is_cut: bool) -> Object:
    metadata = service["metadata"]
    marks = {"annotations": {OVER_CAPACITY: "truncated"}} if is_cut else {}
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": labels,
            **marks,
            "ownerReferences": [controller_reference(service)],
        },
        "subsets": wanted,
    }


def _address(member: Member) -> Object:
    address: Object = {
        "ip": member.address,
        "targetRef": {"kind": "Pod", "namespace": member.namespace, "name": member.pod, "uid": member.uid},
    }
    address |= {"nodeName": member.node} if member.node else {}
    address |= {"hostname": member.hostname} if member.hostname else {}
    return address


def _port(port: Port) -> Object:
    rendered: Object = {"port": port.number, "protocol": port.protocol}
    rendered |= {"name": port.name} if port.name else {}
    return {**rendered, "appProtocol": port.app_protocol} if port.app_protocol else rendered


class EndpointsController:
    """Keeps every Service's Endpoints as `decide` says; they go with their Service by the owner reference."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        self._registry = registry
        self._events = events
        self._loop: Loop[NamespacedName] = Loop("endpoints", self._reconcile)
        self._selection = Selection(registry=registry, changed=self._loop.add)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(self._selection.run())
            group.create_task(follow(self._registry, "endpoints", lambda event: self._loop.add(key_of(event.object))))

    async def _reconcile(self, key: NamespacedName) -> float | None:
        service = self._registry.find("services", key.namespace, key.name)
        if service is not None:
            existing = self._registry.find("endpoints", key.namespace, key.name)
            actions = decide(service, self._selection.pods_of(service), existing)
            await carry_out(actions, registry=self._registry, events=self._events, component=COMPONENT)
        return None
