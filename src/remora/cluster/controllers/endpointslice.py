"""EndpointSlices of Services with a selector.

An endpoint stays in the slice where it is, so that a pod that comes or goes changes one slice and not all.
"""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.actions import Action, Create, Update, carry_out, delete
from remora.cluster.controllers.endpoints_of import Member, Port, is_selecting, members_by_ports
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.controllers.selection import Selection
from remora.cluster.events import Events
from remora.cluster.objects import Object, controller_reference, is_terminating, labels_of
from remora.core.names import NamespacedName

COMPONENT = "endpoint-slice-controller"
SLICES = "endpointslices.discovery.k8s.io"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGED_BY = "endpointslice-controller.k8s.io"
HEADLESS_LABEL = "service.kubernetes.io/headless"
MAXIMUM = 100
"""Endpoints in a slice (kube-controller-manager `--max-endpoints-per-slice`)."""


def decide(service: Object, pods: Sequence[Object], slices: Sequence[Object]) -> tuple[Action, ...]:
    """What to do so that the Service's own `slices` say where its pods are. Without a selector they are somebody else's now."""
    if is_terminating(service):
        return tuple(delete(SLICES, slice_) for slice_ in slices)
    if not is_selecting(service):
        return ()
    groups = members_by_ports(service, pods) or {(): []}
    actions: list[Action] = []
    for ports, members in groups.items():
        same_ports = [s for s in slices if _ports_of(s) == list(map(_port, ports))]
        actions += _fill(service, ports, members, same_ports)
    wanted_ports = [list(map(_port, ports)) for ports in groups]
    return (*actions, *(delete(SLICES, slice_) for slice_ in slices if _ports_of(slice_) not in wanted_ports))


def _fill(service: Object, ports: tuple[Port, ...], members: Sequence[Member], slices: Sequence[Object]) -> list[Action]:
    """Members stay in their slice, then fill the fullest with room, then new ones; an empty slice beside others goes."""
    remaining = {member.uid: member for member in members}
    kept: list[tuple[Object, list[Member]]] = []
    for slice_ in slices:
        uids = [(endpoint.get("targetRef") or {}).get("uid") for endpoint in slice_.get("endpoints") or ()]
        kept.append((slice_, [remaining.pop(uid) for uid in uids if uid in remaining]))
    newcomers = iter(remaining.values())
    for _, inside in sorted(kept, key=lambda pair: -len(pair[1])):
        inside += islice(newcomers, MAXIMUM - len(inside))
    actions: list[Action] = []
    occupied = [pair for pair in kept if pair[1]] or kept[:1]
    for slice_, inside in occupied:
        wanted = _render(service, ports, inside)
        if any(slice_.get(part) != wanted[part] for part in ("endpoints", "ports")) or not _has_labels(slice_, wanted):
            actions.append(Update(SLICES, {**wanted, "metadata": {**slice_["metadata"], "labels": labels_of(wanted)}}))
    chosen = [slice_ for slice_, _ in occupied]
    actions += [delete(SLICES, slice_) for slice_, _ in kept if slice_ not in chosen]
    while rest := list(islice(newcomers, MAXIMUM)):
        actions.append(Create(SLICES, _render(service, ports, rest)))
    if not kept and not members:
        actions.append(Create(SLICES, _render(service, ports, [])))
    return actions


def _has_labels(slice_: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return dict(labels_of(slice_)) == dict(labels_of(wanted))


def _ports_of(slice_: Mapping[str, Any]) -> list[Object]:
    return slice_.get("ports") or []


def _render(service: Object, ports: Sequence[Port], members: Sequence[Member]) -> Object:
    name = service["metadata"]["name"]
    labels = {**labels_of(service), SERVICE_NAME_LABEL: name, MANAGED_BY_LABEL: MANAGED_BY}
    if service["spec"].get("clusterIP") == "None":
        labels[HEADLESS_LABEL] = ""
    even_unready = bool(service["spec"].get("publishNotReadyAddresses"))
    # Hints by zone are given where there are several.
    near = service["spec"].get("trafficDistribution") == "PreferSameNode"
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{name}-",
            "namespace": service["metadata"]["namespace"],
            "labels": labels,
            "ownerReferences": [controller_reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": [_endpoint(member, even_unready=even_unready, near=near) for member in members],
        "ports": list(map(_port, ports)),
    }


def _endpoint(member: Member, *, even_unready: bool, near: bool) -> Object:
    endpoint: Object = {
        "addresses": [member.address],
        "conditions": {
            "ready": even_unready or (member.ready and not member.terminating),
            "serving": member.ready,
            "terminating": member.terminating,
        },
        "targetRef": {"kind": "Pod", "namespace": member.namespace, "name": member.pod, "uid": member.uid},
    }
    endpoint |= {"nodeName": member.node} if member.node else {}
    endpoint |= {"hostname": member.hostname} if member.hostname else {}
    endpoint |= {"hints": {"forNodes": [{"name": member.node}]}} if near and member.node else {}
    return endpoint


def _port(port: Port) -> Object:
    rendered: Object = {"name": port.name, "port": port.number, "protocol": port.protocol}
    return {**rendered, "appProtocol": port.app_protocol} if port.app_protocol else rendered


class EndpointSliceController:
    """Keeps every Service's EndpointSlices as `decide` says."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        self._registry = registry
        self._events = events
        self._loop: Loop[NamespacedName] = Loop("endpointslice", self._reconcile)
        self._selection = Selection(registry=registry, changed=self._loop.add)
        self._names: dict[NamespacedName, set[str]] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(self._selection.run())
            group.create_task(follow(self._registry, SLICES, self._slice_changed))

    def _slice_changed(self, event: WatchEvent) -> None:
        labels, metadata = labels_of(event.object), event.object["metadata"]
        if labels.get(MANAGED_BY_LABEL) != MANAGED_BY or SERVICE_NAME_LABEL not in labels:
            return
        key = NamespacedName(metadata["namespace"], labels[SERVICE_NAME_LABEL])
        names = self._names.setdefault(key, set())
        if event.type == "DELETED":
            names.discard(metadata["name"])
        else:
            names.add(metadata["name"])
        self._loop.add(key)

    async def _reconcile(self, key: NamespacedName) -> float | None:
        service = self._registry.find("services", key.namespace, key.name)
        found = (self._registry.find(SLICES, key.namespace, name) for name in sorted(self._names.get(key, ())))
        slices = [slice_ for slice_ in found if slice_ is not None]
        if service is None:
            actions: tuple[Action, ...] = tuple(delete(SLICES, slice_) for slice_ in slices)
        else:
            actions = decide(service, self._selection.pods_of(service), slices)
        created = await carry_out(actions, registry=self._registry, events=self._events, component=COMPONENT)
        # Noted at once: the watch tells of them a moment later, and the next look may come before.
        self._names.setdefault(key, set()).update(slice_["metadata"]["name"] for slice_ in created)
        return None
